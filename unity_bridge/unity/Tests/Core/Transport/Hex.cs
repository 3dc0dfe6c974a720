#nullable enable
using System;

namespace SurgNav.Core.Tests
{
    /// <summary>Bytes as papers and RFCs print them.</summary>
    internal static class Hex
    {
        internal static byte[] Bytes(string text)
        {
            text = text.Replace(" ", "").Replace("\n", "").Replace("\r", "");
            var bytes = new byte[text.Length / 2];
            for (int index = 0; index < bytes.Length; index++)
            {
                bytes[index] = Convert.ToByte(text.Substring(2 * index, 2), 16);
            }

            return bytes;
        }

        internal static string Text(ReadOnlySpan<byte> bytes)
        {
            return BitConverter.ToString(bytes.ToArray()).Replace("-", "").ToLowerInvariant();
        }
    }
}
