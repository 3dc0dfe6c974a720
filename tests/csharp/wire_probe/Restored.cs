#nullable enable
using System;
using System.Collections.Generic;
using System.Linq;
using System.Security.Cryptography;
using SurgNav.Core.Wire;

namespace SurgNav.Tests.WireProbe
{
    /// <summary>What compressed surfaces unpack to, and what a second time leaves to the garbage collector.</summary>
    internal static class Restored
    {
        /// <summary>One line for each input: the payload's hash, or the refusal's words.</summary>
        internal static int Run(List<byte[]> inputs)
        {
            var surface = new CompressedSurface();
            foreach (var input in inputs)
            {
                var line = new Dictionary<string, object?> { ["sha256"] = null, ["refused"] = null };
                try
                {
                    byte[] payload = surface.Restore(input);
                    long before = GC.GetAllocatedBytesForCurrentThread();
                    int length = surface.Restore(input, payload.AsSpan());
                    line["garbage"] = GC.GetAllocatedBytesForCurrentThread() - before;
                    using var sha = SHA256.Create();
                    line["sha256"] = string.Concat(sha.ComputeHash(payload).Select(each => each.ToString("x2")));
                    line["same"] = length == payload.Length && CompressedSurface.PayloadBytes(input) == length;
                }
                catch (WireException error)
                {
                    line["refused"] = error.Came;
                }

                Console.WriteLine(Json.Of(line));
            }

            return 0;
        }
    }
}
