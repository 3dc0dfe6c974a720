#nullable enable
using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace SurgNav.Core.Client
{
    internal static class ClockName
    {
        /// <summary>The header's 8-byte name of a clock: the first bytes of SHA-256 of its readable name.</summary>
        internal static ulong Key(string clockId)
        {
            using var hash = SHA256.Create();
            return BinaryPrimitives.ReadUInt64LittleEndian(hash.ComputeHash(Encoding.UTF8.GetBytes(clockId)));
        }
    }
}
