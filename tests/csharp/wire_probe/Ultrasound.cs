#nullable enable
using System;
using System.Collections.Generic;
using System.Linq;
using SurgNav.Core.Wire;

namespace SurgNav.Tests.WireProbe
{
    /// <summary>What the decoder that makes no garbage reads of frames of live ultrasound.</summary>
    internal static class Ultrasound
    {
        private const int Rounds = 1000;

        /// <summary>A line for each input: what it says, or null where it is refused. One decoder for all.</summary>
        internal static int Run(List<byte[]> inputs)
        {
            var decoder = new UltrasoundDecoder();
            var data = new UltrasoundData();
            foreach (var input in inputs)
            {
                bool isTaken = true;
                try
                {
                    decoder.Decode(input, data);
                }
                catch (WireException)
                {
                    isTaken = false;
                }

                Console.WriteLine(isTaken ? Json.Of(Words(data)) : data.Number == 0 && data.ContourCount + data.DistanceCount == 0 ? "null" : "\"left over\"");
            }

            return 0;
        }

        /// <summary>One line: bytes that decoding the inputs again and again, and reading them, leaves to the collector.</summary>
        internal static int Allocations(List<byte[]> inputs)
        {
            var decoder = new UltrasoundDecoder();
            var data = new UltrasoundData();
            double sum = Read(decoder, data, inputs, 2);
            long before = GC.GetAllocatedBytesForCurrentThread();
            sum += Read(decoder, data, inputs, Rounds);
            long taken = GC.GetAllocatedBytesForCurrentThread() - before;
            Console.WriteLine($"{{\"frames\":{Rounds * inputs.Count},\"bytes\":{taken},\"sum\":{sum:R}}}");
            return 0;
        }

        private static double Read(UltrasoundDecoder decoder, UltrasoundData data, List<byte[]> inputs, int rounds)
        {
            double sum = 0.0;
            for (int round = 0; round < rounds; round++)
            {
                foreach (var input in inputs)
                {
                    decoder.Decode(input, data);
                    sum += data.FirstPixelM.X + data.State.Length + data.Image.Length + (data.ExpectedP95Mm ?? 0.0);
                    for (int index = 0; index < data.ContourCount; index++)
                    {
                        sum += data[index].Structure.Length + data[index].PointsPx[0];
                    }

                    for (int index = 0; index < data.DistanceCount; index++)
                    {
                        sum += data.Distance(index).To.Length + (data.Distance(index).DistanceMm ?? 0.0);
                    }
                }
            }

            return sum;
        }

        private static Dictionary<string, object?> Words(UltrasoundData data)
        {
            bool hasPlace = data.HasPlace;
            return new Dictionary<string, object?>
            {
                ["number"] = data.Number,
                ["shows_ns"] = data.ShowsNs,
                ["source"] = data.Source,
                ["state"] = data.State,
                ["reason"] = data.Reason,
                ["width_px"] = data.WidthPx,
                ["height_px"] = data.HeightPx,
                ["placing"] = data.Placing.Word(),
                ["placing_reason"] = data.PlacingReason,
                ["to_frame"] = data.ToFrame,
                ["first_pixel_m"] = hasPlace ? Numbers(data.FirstPixelM) : null,
                ["along_x_m"] = hasPlace ? Numbers(data.AlongXM) : null,
                ["along_y_m"] = hasPlace ? Numbers(data.AlongYM) : null,
                ["expected_p95_mm"] = data.ExpectedP95Mm,
                ["contours"] = Enumerable.Range(0, data.ContourCount).Select(index => Words(data[index])).ToList(),
                ["distances"] = Enumerable.Range(0, data.DistanceCount).Select(index => Words(data.Distance(index))).ToList(),
                ["image"] = data.Image.Length > 0 ? data.Image : (object?)null,
            };
        }

        private static object Words(UltrasoundOutline outline)
        {
            return new Dictionary<string, object?>
            {
                ["structure"] = outline.Structure,
                ["closed"] = outline.IsClosed,
                ["confidence"] = outline.Confidence,
                ["points"] = outline.PointsPx.ToArray().ToList(),
            };
        }

        private static object Words(ContourDistance distance)
        {
            return new Dictionary<string, object?>
            {
                ["contour"] = distance.Contour,
                ["to"] = distance.To,
                ["is_tip"] = distance.IsTip,
                ["in_frame"] = distance.InFrame,
                ["validity"] = distance.Validity.Word(),
                ["reason"] = distance.Reason,
                ["distance_mm"] = distance.DistanceMm,
                ["p95_mm"] = distance.P95Mm,
                ["is_inside"] = distance.IsInside,
                ["is_least"] = distance.IsLeast,
                ["nearest_px"] = distance.NearestXPx is { } x && distance.NearestYPx is { } y ? new List<double> { x, y } : null,
            };
        }

        private static List<double> Numbers(in Double3 value) => new List<double> { value.X, value.Y, value.Z };
    }
}
