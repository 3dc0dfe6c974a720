#nullable enable
using System;
using System.Collections.Generic;
using System.Linq;
using SurgNav.Core.Wire;

namespace SurgNav.Tests.WireProbe
{
    /// <summary>
    /// Every truncation and every changed byte of every input: a message or a WireException, and no more memory than the
    /// input justifies.
    /// </summary>
    internal static class Fuzz
    {
        /// <summary>An exception with its stack takes some kilobytes, whatever the input.</summary>
        private const long AllowedBytes = 65_536;

        /// <summary>Two bytes of a string table become a string and an entry in a set.</summary>
        private const long AllowedBytesPerByte = 64;

        /// <summary>Kept from message to message, as a client keeps them.</summary>
        private static readonly PoseBatchDecoder KeptDecoder = new PoseBatchDecoder();

        private static readonly PoseBatch KeptBatch = new PoseBatch();

        private static readonly CompressedSurface KeptSurface = new CompressedSurface();

        private static readonly byte[] Extremes = { 0x00, 0x7F, 0x80, 0xFF };

        internal static int Run(List<byte[]> inputs)
        {
            inputs.ForEach(input => Decode(input)); // compiled and warm: the runtime's own memory is not the input's doing
            long tried = 0;
            long accepted = 0;
            long most = 0;
            foreach (var mutated in inputs.SelectMany(Mutations))
            {
                long before = GC.GetAllocatedBytesForCurrentThread();
                accepted += Decode(mutated) ? 1 : 0;
                long taken = GC.GetAllocatedBytesForCurrentThread() - before;
                most = Math.Max(most, taken);
                tried++;
                if (taken > AllowedBytes + (AllowedBytesPerByte * mutated.Length))
                {
                    Console.Error.WriteLine($"{taken} bytes for {BitConverter.ToString(mutated)}");
                    return 1;
                }
            }

            Console.WriteLine($"{{\"tried\":{tried},\"accepted\":{accepted},\"most_bytes\":{most}}}");
            return 0;
        }

        private static IEnumerable<byte[]> Mutations(byte[] input)
        {
            for (int length = 0; length < input.Length; length++)
            {
                yield return input.AsSpan(0, length).ToArray();
                for (int bit = 0; bit < 8; bit++)
                {
                    yield return With(input, length, 1, (byte)(input[length] ^ (1 << bit)));
                }

                foreach (byte extreme in Extremes)
                {
                    yield return With(input, length, 1, extreme);
                    yield return With(input, length, Math.Min(4, input.Length - length), extreme);
                }
            }
        }

        private static byte[] With(byte[] input, int at, int count, byte value)
        {
            var changed = (byte[])input.Clone();
            changed.AsSpan(at, count).Fill(value);
            return changed;
        }

        /// <summary>Every decoder that a peer can reach; true where one of them accepts.</summary>
        private static bool Decode(byte[] data)
        {
            bool poses = Accepts(() => KeptDecoder.Decode(data, KeptBatch), data);
            if (poses != (KeptBatch.Header.BodyBytes > 0) || (!poses && KeptBatch.Count > 0))
            {
                throw new InvalidOperationException($"a batch half filled by {BitConverter.ToString(data)}");
            }

            return poses
                | Accepts(() => MessageCodec.Decode(data, out _), data)
                | Accepts(() => SurfacePayload.Decode(data), data)
                | Accepts(() => KeptSurface.Restore(data), data);
        }

        private static bool Accepts(Action decode, byte[] data)
        {
            try
            {
                decode();
                return true;
            }
            catch (WireException)
            {
                return false;
            }
            catch (Exception error)
            {
                throw new InvalidOperationException($"{BitConverter.ToString(data)}", error);
            }
        }
    }
}
