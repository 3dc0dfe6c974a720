// Generated from unity_bridge/wire/wire_schema.toml by `make wire`: edit that, not this.
#nullable enable
using System;
using System.Collections.Generic;

namespace SurgNav.Core.Wire
{
    /// <summary>One structure in the frame. The tags of its fields.</summary>
    public static class UltrasoundContourTags
    {
        public const ushort Structure = 1;
        public const ushort Closed = 2;
        public const ushort Confidence = 3;
        public const ushort PointsPx = 4;
    }

    /// <summary>How far one contour is from a structure of the plan or from a tool's tip, at the instant that the image shows; a closed contour is the area in it. The tags of its fields.</summary>
    public static class UltrasoundDistanceTags
    {
        public const ushort Contour = 1;
        public const ushort To = 2;
        public const ushort IsTip = 3;
        public const ushort InFrame = 4;
        public const ushort Validity = 5;
        public const ushort Reason = 6;
        public const ushort DistanceMm = 7;
        public const ushort P95Mm = 8;
        public const ushort IsInside = 9;
        public const ushort IsLeast = 10;
        public const ushort NearestPx = 11;
    }

    /// <summary>One frame of live ultrasound: its contours, where its image lies, and the image itself where it was asked for. The tags of its fields.</summary>
    public static class UltrasoundFrameTags
    {
        public const ushort Number = 1;
        public const ushort ShowsNs = 2;
        public const ushort Source = 3;
        public const ushort State = 4;
        public const ushort Reason = 5;
        public const ushort WidthPx = 6;
        public const ushort HeightPx = 7;
        public const ushort Placing = 8;
        public const ushort PlacingReason = 9;
        public const ushort ToFrame = 10;
        public const ushort FirstPixelM = 11;
        public const ushort AlongXM = 12;
        public const ushort AlongYM = 13;
        public const ushort ExpectedP95Mm = 14;
        public const ushort Contours = 15;
        public const ushort Image = 16;
        public const ushort Distances = 17;
    }

    /// <summary>One structure in the frame.</summary>
    public sealed class UltrasoundContour
    {
        public string Structure { get; set; } = "";
        /// <summary>The last point is joined to the first.</summary>
        public bool Closed { get; set; }
        /// <summary>Mean calibrated probability inside; absent where it is none.</summary>
        public double? Confidence { get; set; }
        /// <summary>X and y of each point as f32, little-endian, in pixels of the frame: x along the transducer, y down the depth.</summary>
        public ReadOnlyMemory<byte> PointsPx { get; set; }

        /// <summary>Reads the fields, skipping unknown tags. Blobs are views of the body.</summary>
        /// <exception cref="WireException">A field that is missing, comes twice, or holds what it cannot.</exception>
        public static UltrasoundContour Decode(ReadOnlyMemory<byte> body)
        {
            var message = new UltrasoundContour();
            ulong seen = 0;
            var fields = new FieldReader(body);
            while (fields.Next())
            {
                switch (fields.Tag)
                {
                    case 1:
                        FieldReader.Once(ref seen, 0, "structure");
                        message.Structure = fields.Text();
                        break;
                    case 2:
                        FieldReader.Once(ref seen, 1, "closed");
                        message.Closed = fields.Flag();
                        break;
                    case 3:
                        FieldReader.Once(ref seen, 2, "confidence");
                        message.Confidence = fields.F64();
                        break;
                    case 4:
                        FieldReader.Once(ref seen, 3, "points_px");
                        message.PointsPx = fields.Blob();
                        break;
                }
            }

            FieldReader.Require(seen, 0x9, "UltrasoundContour", "structure, points_px");
            return message;
        }

        /// <exception cref="WireException">A value that the wire does not allow.</exception>
        public void Encode(WireWriter writer)
        {
            writer.Text(1, Structure);
            writer.Flag(2, Closed);
            if (Confidence is { } value3)
            {
                writer.F64(3, value3);
            }

            writer.Blob(4, PointsPx);
        }
    }

    /// <summary>How far one contour is from a structure of the plan or from a tool's tip, at the instant that the image shows; a closed contour is the area in it.</summary>
    public sealed class UltrasoundDistance
    {
        /// <summary>Which of the frame's contours, from 0.</summary>
        public uint Contour { get; set; }
        /// <summary>Name of the structure, or of the tool.</summary>
        public string To { get; set; } = "";
        /// <summary>It is a tool's tip.</summary>
        public bool IsTip { get; set; }
        /// <summary>The frame that it was measured in: 'ct' for structures, 'reference' for tips.</summary>
        public string InFrame { get; set; } = "";
        /// <summary>Only `valid` has the fields 7 to 11.</summary>
        public Validity Validity { get; set; }
        /// <summary>Why there is no distance: show it, never the one before.</summary>
        public string Reason { get; set; } = "";
        /// <summary>The smallest; of a structure negative where the contour reaches into it.</summary>
        public double? DistanceMm { get; set; }
        /// <summary>95 of 100 such distances are off by less; absent where not known.</summary>
        public double? P95Mm { get; set; }
        /// <summary>The contour reaches into the structure; or the tip lies in the contour's area, or above or below it.</summary>
        public bool IsInside { get; set; }
        /// <summary>It is only the least that is possible: show it as such.</summary>
        public bool IsLeast { get; set; }
        /// <summary>Where on the contour, x and y in pixels of the frame.</summary>
        public double[]? NearestPx { get; set; }

        /// <summary>Reads the fields, skipping unknown tags. Blobs are views of the body.</summary>
        /// <exception cref="WireException">A field that is missing, comes twice, or holds what it cannot.</exception>
        public static UltrasoundDistance Decode(ReadOnlyMemory<byte> body)
        {
            var message = new UltrasoundDistance();
            ulong seen = 0;
            var fields = new FieldReader(body);
            while (fields.Next())
            {
                switch (fields.Tag)
                {
                    case 1:
                        FieldReader.Once(ref seen, 0, "contour");
                        message.Contour = fields.U32();
                        break;
                    case 2:
                        FieldReader.Once(ref seen, 1, "to");
                        message.To = fields.Text();
                        break;
                    case 3:
                        FieldReader.Once(ref seen, 2, "is_tip");
                        message.IsTip = fields.Flag();
                        break;
                    case 4:
                        FieldReader.Once(ref seen, 3, "in_frame");
                        message.InFrame = fields.Text();
                        break;
                    case 5:
                        FieldReader.Once(ref seen, 4, "validity");
                        message.Validity = ValidityCodes.Decode(fields.Byte());
                        break;
                    case 6:
                        FieldReader.Once(ref seen, 5, "reason");
                        message.Reason = fields.Text();
                        break;
                    case 7:
                        FieldReader.Once(ref seen, 6, "distance_mm");
                        message.DistanceMm = fields.F64();
                        break;
                    case 8:
                        FieldReader.Once(ref seen, 7, "p95_mm");
                        message.P95Mm = fields.F64();
                        break;
                    case 9:
                        FieldReader.Once(ref seen, 8, "is_inside");
                        message.IsInside = fields.Flag();
                        break;
                    case 10:
                        FieldReader.Once(ref seen, 9, "is_least");
                        message.IsLeast = fields.Flag();
                        break;
                    case 11:
                        FieldReader.Once(ref seen, 10, "nearest_px");
                        message.NearestPx = fields.F64Array(2);
                        break;
                }
            }

            FieldReader.Require(seen, 0x13, "UltrasoundDistance", "contour, to, validity");
            return message;
        }

        /// <exception cref="WireException">A value that the wire does not allow.</exception>
        public void Encode(WireWriter writer)
        {
            writer.U32(1, Contour);
            writer.Text(2, To);
            writer.Flag(3, IsTip);
            writer.Text(4, InFrame);
            writer.Byte(5, (byte)ValidityCodes.Decode((byte)Validity));
            writer.Text(6, Reason);
            if (DistanceMm is { } value7)
            {
                writer.F64(7, value7);
            }

            if (P95Mm is { } value8)
            {
                writer.F64(8, value8);
            }

            writer.Flag(9, IsInside);
            writer.Flag(10, IsLeast);
            if (NearestPx is { } value11)
            {
                writer.F64Array(11, value11, 2);
            }

        }
    }

    /// <summary>Asks for one frame: the client's credit. It is answered by the newest frame there is, as soon as one is newer than `newer_than`.</summary>
    public sealed class UltrasoundRequest : IMessage
    {
        /// <summary>The Welcome's `pose_token`.</summary>
        public ReadOnlyMemory<byte> Token { get; set; }
        /// <summary>Number of the newest frame that this client has; 0 for none.</summary>
        public ulong NewerThan { get; set; }
        /// <summary>The image too. Ask for images over a connection of their own: contours do not wait behind them then.</summary>
        public bool WantsImage { get; set; }

        public MessageType WireType => MessageType.UltrasoundRequest;

        /// <summary>Reads the fields, skipping unknown tags. Blobs are views of the body.</summary>
        /// <exception cref="WireException">A field that is missing, comes twice, or holds what it cannot.</exception>
        public static UltrasoundRequest Decode(ReadOnlyMemory<byte> body)
        {
            var message = new UltrasoundRequest();
            ulong seen = 0;
            var fields = new FieldReader(body);
            while (fields.Next())
            {
                switch (fields.Tag)
                {
                    case 1:
                        FieldReader.Once(ref seen, 0, "token");
                        message.Token = fields.Blob();
                        break;
                    case 2:
                        FieldReader.Once(ref seen, 1, "newer_than");
                        message.NewerThan = fields.U64();
                        break;
                    case 3:
                        FieldReader.Once(ref seen, 2, "wants_image");
                        message.WantsImage = fields.Flag();
                        break;
                }
            }

            FieldReader.Require(seen, 0x1, "UltrasoundRequest", "token");
            return message;
        }

        /// <exception cref="WireException">A value that the wire does not allow.</exception>
        public void Encode(WireWriter writer)
        {
            writer.Blob(1, Token);
            writer.U64(2, NewerThan);
            writer.Flag(3, WantsImage);
        }
    }

    /// <summary>One frame of live ultrasound: its contours, where its image lies, and the image itself where it was asked for.</summary>
    public sealed class UltrasoundFrame : IMessage
    {
        /// <summary>Counts the frames of this session from 1; a gap is frames that were overtaken.</summary>
        public ulong Number { get; set; }
        /// <summary>The instant that the image shows, on the server's clock: judge its age as a pose's, section 4.</summary>
        public long ShowsNs { get; set; }
        /// <summary>What it comes from, for people.</summary>
        public string Source { get; set; } = "";
        /// <summary>'usable', or why there are no contours.</summary>
        public string State { get; set; } = "";
        /// <summary>That state in words; empty if usable.</summary>
        public string Reason { get; set; } = "";
        /// <summary>Of the frame that contours are in; the image may have fewer pixels, and covers the same area.</summary>
        public uint WidthPx { get; set; }
        public uint HeightPx { get; set; }
        /// <summary>Whether it is known where the frame lies; `valid` has the fields 10 to 13, `suspect` may have them, no other has.</summary>
        public Validity Placing { get; set; }
        /// <summary>Why it is not.</summary>
        public string PlacingReason { get; set; } = "";
        /// <summary>The frame that it is placed in, such as 'ct' or 'reference'.</summary>
        public string ToFrame { get; set; } = "";
        /// <summary>Centre of the pixel (0, 0), in Unity's convention.</summary>
        public double[]? FirstPixelM { get; set; }
        /// <summary>From one pixel to the next along x.</summary>
        public double[]? AlongXM { get; set; }
        /// <summary>And along y.</summary>
        public double[]? AlongYM { get; set; }
        /// <summary>95 of 100 frames lie within it of where they are shown, at the worst corner; absent where not known.</summary>
        public double? ExpectedP95Mm { get; set; }
        public List<UltrasoundContour> Contours { get; } = new List<UltrasoundContour>();
        /// <summary>JPEG, grey.</summary>
        public ReadOnlyMemory<byte>? Image { get; set; }
        /// <summary>Of its contours; none in a frame that is not placed.</summary>
        public List<UltrasoundDistance> Distances { get; } = new List<UltrasoundDistance>();

        public MessageType WireType => MessageType.UltrasoundFrame;

        /// <summary>Reads the fields, skipping unknown tags. Blobs are views of the body.</summary>
        /// <exception cref="WireException">A field that is missing, comes twice, or holds what it cannot.</exception>
        public static UltrasoundFrame Decode(ReadOnlyMemory<byte> body)
        {
            var message = new UltrasoundFrame();
            ulong seen = 0;
            var fields = new FieldReader(body);
            while (fields.Next())
            {
                switch (fields.Tag)
                {
                    case 1:
                        FieldReader.Once(ref seen, 0, "number");
                        message.Number = fields.U64();
                        break;
                    case 2:
                        FieldReader.Once(ref seen, 1, "shows_ns");
                        message.ShowsNs = fields.I64();
                        break;
                    case 3:
                        FieldReader.Once(ref seen, 2, "source");
                        message.Source = fields.Text();
                        break;
                    case 4:
                        FieldReader.Once(ref seen, 3, "state");
                        message.State = fields.Text();
                        break;
                    case 5:
                        FieldReader.Once(ref seen, 4, "reason");
                        message.Reason = fields.Text();
                        break;
                    case 6:
                        FieldReader.Once(ref seen, 5, "width_px");
                        message.WidthPx = fields.U32();
                        break;
                    case 7:
                        FieldReader.Once(ref seen, 6, "height_px");
                        message.HeightPx = fields.U32();
                        break;
                    case 8:
                        FieldReader.Once(ref seen, 7, "placing");
                        message.Placing = ValidityCodes.Decode(fields.Byte());
                        break;
                    case 9:
                        FieldReader.Once(ref seen, 8, "placing_reason");
                        message.PlacingReason = fields.Text();
                        break;
                    case 10:
                        FieldReader.Once(ref seen, 9, "to_frame");
                        message.ToFrame = fields.Text();
                        break;
                    case 11:
                        FieldReader.Once(ref seen, 10, "first_pixel_m");
                        message.FirstPixelM = fields.Position();
                        break;
                    case 12:
                        FieldReader.Once(ref seen, 11, "along_x_m");
                        message.AlongXM = fields.F64Array(3);
                        break;
                    case 13:
                        FieldReader.Once(ref seen, 12, "along_y_m");
                        message.AlongYM = fields.F64Array(3);
                        break;
                    case 14:
                        FieldReader.Once(ref seen, 13, "expected_p95_mm");
                        message.ExpectedP95Mm = fields.F64();
                        break;
                    case 15:
                        FieldReader.CheckRepeats(message.Contours.Count, "contours");
                        message.Contours.Add(UltrasoundContour.Decode(fields.Blob()));
                        break;
                    case 16:
                        FieldReader.Once(ref seen, 14, "image");
                        message.Image = fields.Blob();
                        break;
                    case 17:
                        FieldReader.CheckRepeats(message.Distances.Count, "distances");
                        message.Distances.Add(UltrasoundDistance.Decode(fields.Blob()));
                        break;
                }
            }

            FieldReader.Require(seen, 0xEF, "UltrasoundFrame", "number, shows_ns, source, state, width_px, height_px, placing");
            return message;
        }

        /// <exception cref="WireException">A value that the wire does not allow.</exception>
        public void Encode(WireWriter writer)
        {
            writer.U64(1, Number);
            writer.I64(2, ShowsNs);
            writer.Text(3, Source);
            writer.Text(4, State);
            writer.Text(5, Reason);
            writer.U32(6, WidthPx);
            writer.U32(7, HeightPx);
            writer.Byte(8, (byte)ValidityCodes.Decode((byte)Placing));
            writer.Text(9, PlacingReason);
            writer.Text(10, ToFrame);
            if (FirstPixelM is { } value11)
            {
                writer.Position(11, value11);
            }

            if (AlongXM is { } value12)
            {
                writer.F64Array(12, value12, 3);
            }

            if (AlongYM is { } value13)
            {
                writer.F64Array(13, value13, 3);
            }

            if (ExpectedP95Mm is { } value14)
            {
                writer.F64(14, value14);
            }

            foreach (var each in Contours)
            {
                int start15 = writer.Begin(15);
                each.Encode(writer);
                writer.End(start15);
            }

            if (Image is { } value16)
            {
                writer.Blob(16, value16);
            }

            foreach (var each in Distances)
            {
                int start17 = writer.Begin(17);
                each.Encode(writer);
                writer.End(start17);
            }

        }
    }
}
