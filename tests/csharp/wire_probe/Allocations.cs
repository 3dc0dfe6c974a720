#nullable enable
using System;
using System.Collections.Generic;
using SurgNav.Core.Wire;

namespace SurgNav.Tests.WireProbe
{
    /// <summary>What decoding pose batches, and reading every tool of them, leaves to the garbage collector.</summary>
    internal static class Allocations
    {
        private const int Rounds = 1000;

        internal static int Run(List<byte[]> batches)
        {
            var decoder = new PoseBatchDecoder();
            var batch = new PoseBatch();
            double sum = Read(decoder, batches, batch, 1);
            long before = GC.GetAllocatedBytesForCurrentThread();
            sum += Read(decoder, batches, batch, Rounds);
            long taken = GC.GetAllocatedBytesForCurrentThread() - before;
            Console.WriteLine($"{{\"batches\":{Rounds * batches.Count},\"bytes\":{taken},\"sum\":{sum:R}}}");
            return 0;
        }

        private static double Read(PoseBatchDecoder decoder, List<byte[]> batches, PoseBatch batch, int rounds)
        {
            double sum = 0.0;
            for (int round = 0; round < rounds; round++)
            {
                foreach (var message in batches)
                {
                    decoder.Decode(message, batch);
                    for (int index = 0; index < batch.Count; index++)
                    {
                        var tool = batch[index];
                        sum += tool.PositionM.X + tool.RotationXyzw.W + (tool.ExpectedErrorMm ?? 0.0f);
                        sum += tool.Tool.Length + tool.Reason.Length + (tool.CaptureNs ?? 0) * 1e-18;
                    }
                }
            }

            return sum;
        }
    }
}
