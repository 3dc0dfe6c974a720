#nullable enable
using System;
using System.IO;
using System.Security.Cryptography;
using System.Text;

namespace SurgNav.Tests.Headset
{
    /// <summary>This machine's monotonic clock, by the name that all its programs have for it: docs/unity_bridge/protocol.md, section 6.</summary>
    internal static class BootClock
    {
        internal static string Name()
        {
            string text = Words("/proc/sys/kernel/random/boot_id") + "\n" + Words("/proc/self/timens_offsets");
            using var hash = SHA256.Create();
            var digest = hash.ComputeHash(Encoding.UTF8.GetBytes(text));
            return "monotonic-" + BitConverter.ToString(digest, 0, 8).Replace("-", "").ToLowerInvariant();
        }

        private static string Words(string path)
        {
            try
            {
                return string.Join(" ", File.ReadAllText(path).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
            }
            catch (IOException)
            {
                return "";
            }
        }
    }
}
