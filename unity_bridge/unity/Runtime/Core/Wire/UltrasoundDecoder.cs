#nullable enable
using System;

namespace SurgNav.Core.Wire
{
    /// <summary>
    /// Decodes frames of live ultrasound, one after the other. Once names and sizes are known it makes no garbage.
    /// </summary>
    public sealed class UltrasoundDecoder
    {
        /// <summary>Beyond it nothing is an ultrasound image.</summary>
        private const int MostPixels = 8192;
        private const int PointBytes = 8;
        private const ulong Required = 0x7F;
        private const ulong WholePlace = 0x7 << 9;

        private readonly KeptTexts texts = new KeptTexts();

        /// <summary>
        /// Checks the whole message, then fills <paramref name="data"/>; after an exception it holds no frame.
        /// </summary>
        /// <exception cref="WireException">Not a well-formed frame, or one that contradicts itself.</exception>
        public void Decode(ReadOnlySpan<byte> message, UltrasoundData data)
        {
            data.Clear();
            var header = Envelope.Read(message, out ReadOnlySpan<byte> body);
            if (header.MessageType != (ushort)MessageType.UltrasoundFrame)
            {
                throw new MalformedMessageException($"message type {header.MessageType}", "an ultrasound frame");
            }

            try
            {
                ulong seen = Fields(body, data);
                FieldReader.Require(
                    seen, Required, "UltrasoundFrame", "number, shows_ns, source, state, width_px, height_px, placing");
                Check(seen, data);
                data.Header = header;
            }
            catch (WireException)
            {
                data.Clear();
                throw;
            }
        }

        private static void Check(ulong seen, UltrasoundData data)
        {
            bool isValid = data.Placing == Validity.Valid;
            bool hasPlace = (seen & WholePlace) == WholePlace;
            bool mayHave = isValid || data.Placing == Validity.Suspect;
            if ((hasPlace && !mayHave) || (isValid && !hasPlace) || (hasPlace && data.ToFrame.Length == 0))
            {
                throw new MalformedMessageException(
                    $"an ultrasound frame placed {data.Placing.Word()}, with another place than that",
                    "a place where it is valid, perhaps one where it is suspect, none otherwise");
            }

            data.HasPlace = hasPlace;

            if (data.ContourCount > 0 && data.Reason.Length > 0)
            {
                throw new MalformedMessageException($"contours in a frame that is '{data.State}'", "contours of usable frames only");
            }

            for (int index = 0; index < data.DistanceCount; index++)
            {
                if (!isValid || data.Distances[index].Contour >= data.ContourCount)
                {
                    throw new MalformedMessageException(
                        "a distance from a contour that is not there", "distances from contours of a placed frame");
                }
            }

            if (data.WidthPx < 1 || data.WidthPx > MostPixels || data.HeightPx < 1 || data.HeightPx > MostPixels)
            {
                throw new MalformedMessageException($"a frame of {data.WidthPx} x {data.HeightPx} px", $"1 to {MostPixels}");
            }
        }

        private ulong Fields(ReadOnlySpan<byte> body, UltrasoundData data)
        {
            ulong seen = 0;
            int at = 0;
            int length = 0;
            data.ToFrame = data.Reason = data.PlacingReason = "";
            while (FieldReader.Next(body, ref at, ref length, out ushort tag))
            {
                var payload = body.Slice(at, length);
                if (tag == UltrasoundFrameTags.Contours)
                {
                    FieldReader.CheckRepeats(data.ContourCount, "contours");
                    Contour(payload, data);
                    continue;
                }

                if (tag == UltrasoundFrameTags.Distances)
                {
                    FieldReader.CheckRepeats(data.DistanceCount, "distances");
                    Distance(payload, data);
                    continue;
                }

                int bit = Bit(tag);
                if (bit >= 0)
                {
                    FieldReader.Once(ref seen, bit, "of an UltrasoundFrame");
                    Field(tag, payload, data);
                }
            }

            return seen;
        }

        /// <summary>The first seven are required, 9 to 11 are the place.</summary>
        private static int Bit(ushort tag)
        {
            return tag switch
            {
                UltrasoundFrameTags.Number => 0,
                UltrasoundFrameTags.ShowsNs => 1,
                UltrasoundFrameTags.Source => 2,
                UltrasoundFrameTags.State => 3,
                UltrasoundFrameTags.WidthPx => 4,
                UltrasoundFrameTags.HeightPx => 5,
                UltrasoundFrameTags.Placing => 6,
                UltrasoundFrameTags.Reason => 7,
                UltrasoundFrameTags.PlacingReason => 8,
                UltrasoundFrameTags.FirstPixelM => 9,
                UltrasoundFrameTags.AlongXM => 10,
                UltrasoundFrameTags.AlongYM => 11,
                UltrasoundFrameTags.ToFrame => 12,
                UltrasoundFrameTags.ExpectedP95Mm => 13,
                UltrasoundFrameTags.Image => 14,
                _ => -1,
            };
        }

        private void Field(ushort tag, ReadOnlySpan<byte> payload, UltrasoundData data)
        {
            switch (tag)
            {
                case UltrasoundFrameTags.Number:
                    data.Number = WireBytes.ReadU64(Sized(payload, 8, "u64"), 0);
                    break;
                case UltrasoundFrameTags.ShowsNs:
                    data.ShowsNs = WireBytes.ReadI64(Sized(payload, 8, "i64"), 0);
                    break;
                case UltrasoundFrameTags.Source:
                    data.Source = texts.Of(payload);
                    break;
                case UltrasoundFrameTags.State:
                    data.State = texts.Of(payload);
                    break;
                case UltrasoundFrameTags.Reason:
                    data.Reason = texts.Of(payload);
                    break;
                case UltrasoundFrameTags.PlacingReason:
                    data.PlacingReason = texts.Of(payload);
                    break;
                case UltrasoundFrameTags.ToFrame:
                    data.ToFrame = texts.Of(payload);
                    break;
                case UltrasoundFrameTags.WidthPx:
                    data.WidthPx = (int)Math.Min(int.MaxValue, WireBytes.ReadU32(Sized(payload, 4, "u32"), 0));
                    break;
                case UltrasoundFrameTags.HeightPx:
                    data.HeightPx = (int)Math.Min(int.MaxValue, WireBytes.ReadU32(Sized(payload, 4, "u32"), 0));
                    break;
                case UltrasoundFrameTags.Placing:
                    data.Placing = ValidityCodes.Decode(Sized(payload, 1, "code")[0]);
                    break;
                case UltrasoundFrameTags.FirstPixelM:
                    data.FirstPixelM = Near(Three(payload));
                    break;
                case UltrasoundFrameTags.AlongXM:
                    data.AlongXM = Three(payload);
                    break;
                case UltrasoundFrameTags.AlongYM:
                    data.AlongYM = Three(payload);
                    break;
                case UltrasoundFrameTags.ExpectedP95Mm:
                    data.ExpectedP95Mm = Number(payload);
                    break;
                case UltrasoundFrameTags.Image:
                    Keep(payload, data);
                    break;
            }
        }

        private static void Keep(ReadOnlySpan<byte> image, UltrasoundData data)
        {
            if (data.ImageBytes.Length < image.Length)
            {
                data.ImageBytes = new byte[Math.Max(image.Length, 2 * data.ImageBytes.Length)];
            }

            image.CopyTo(data.ImageBytes);
            data.ImageLength = image.Length;
        }

        private void Contour(ReadOnlySpan<byte> body, UltrasoundData data)
        {
            var record = new ContourRecord { Structure = "" };
            ReadOnlySpan<byte> points = default;
            ulong seen = 0;
            int at = 0;
            int length = 0;
            while (FieldReader.Next(body, ref at, ref length, out ushort tag))
            {
                var payload = body.Slice(at, length);
                switch (tag)
                {
                    case UltrasoundContourTags.Structure:
                        FieldReader.Once(ref seen, 0, "structure");
                        record.Structure = texts.Of(payload);
                        break;
                    case UltrasoundContourTags.PointsPx:
                        FieldReader.Once(ref seen, 1, "points_px");
                        points = payload;
                        break;
                    case UltrasoundContourTags.Closed:
                        FieldReader.Once(ref seen, 2, "closed");
                        record.IsClosed = Flag(payload);
                        break;
                    case UltrasoundContourTags.Confidence:
                        FieldReader.Once(ref seen, 3, "confidence");
                        record.Confidence = Number(payload);
                        break;
                }
            }

            FieldReader.Require(seen, 0x3, "UltrasoundContour", "structure, points_px");
            Points(points, ref record, data);
            if (data.Records.Length == data.ContourCount)
            {
                Array.Resize(ref data.Records, Math.Max(8, 2 * data.ContourCount));
            }

            data.Records[data.ContourCount++] = record;
        }

        private void Distance(ReadOnlySpan<byte> body, UltrasoundData data)
        {
            if (data.Distances.Length == data.DistanceCount)
            {
                Array.Resize(ref data.Distances, Math.Max(8, 2 * data.DistanceCount));
            }

            data.Distances[data.DistanceCount++] = DistanceRecord.Read(body, texts);
        }

        private static void Points(ReadOnlySpan<byte> bytes, ref ContourRecord record, UltrasoundData data)
        {
            if (bytes.Length % PointBytes != 0)
            {
                throw new MalformedMessageException($"a contour of {bytes.Length} bytes", $"{PointBytes} for each point");
            }

            record.PointCount = bytes.Length / PointBytes;
            record.FirstCoordinate = data.CoordinateCount;
            int count = 2 * record.PointCount;
            if (data.Coordinates.Length < data.CoordinateCount + count)
            {
                Array.Resize(ref data.Coordinates, Math.Max(data.CoordinateCount + count, 2 * data.Coordinates.Length));
            }

            for (int index = 0; index < count; index++)
            {
                float value = WireBytes.ReadF32(bytes, 4 * index);
                data.Coordinates[data.CoordinateCount++] = WireBytes.IsFinite(value) ? value : throw Refuse.Number("f32");
            }
        }

        internal static bool Flag(ReadOnlySpan<byte> payload)
        {
            byte value = Sized(payload, 1, "flag")[0];
            return value <= 1 ? value == 1 : throw new MalformedMessageException($"a flag of {value}", "0 or 1");
        }

        private static Double3 Three(ReadOnlySpan<byte> payload)
        {
            var value = WireBytes.ReadDouble3(Sized(payload, 24, "f64 array"), 0);
            Finite(value.X);
            Finite(value.Y);
            Finite(value.Z);
            return value;
        }

        private static Double3 Near(in Double3 value)
        {
            if (Math.Max(Math.Abs(value.X), Math.Max(Math.Abs(value.Y), Math.Abs(value.Z))) > Constants.PositionLimitM)
            {
                throw new MalformedMessageException(
                    "a position too far away", $"within {Constants.PositionLimitM} m along each axis");
            }

            return value;
        }

        internal static double Number(ReadOnlySpan<byte> payload) => Finite(WireBytes.ReadF64(Sized(payload, 8, "f64"), 0));

        private static double Finite(double value) => WireBytes.IsFinite(value) ? value : throw Refuse.Number("f64");

        internal static ReadOnlySpan<byte> Sized(ReadOnlySpan<byte> payload, int bytes, string what)
        {
            return payload.Length == bytes ? payload : throw Refuse.Size(what, payload.Length, bytes);
        }
    }
}
