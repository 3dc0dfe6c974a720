#nullable enable
using System;

namespace SurgNav.Core.Wire
{
    /// <summary>
    /// How far one contour of a frame is from a structure of the plan or from a tool's tip, at the instant that the image
    /// shows. A closed contour is the area in it.
    /// </summary>
    public readonly struct ContourDistance
    {
        internal ContourDistance(in DistanceRecord record)
        {
            Contour = record.Contour;
            To = record.To;
            IsTip = record.IsTip;
            InFrame = record.InFrame;
            Validity = record.Validity;
            Reason = record.Reason;
            DistanceMm = record.DistanceMm;
            P95Mm = record.P95Mm;
            IsInside = record.IsInside;
            IsLeast = record.IsLeast;
            NearestXPx = record.NearestXPx;
            NearestYPx = record.NearestYPx;
        }

        /// <summary>Which contour of the frame.</summary>
        public int Contour { get; }

        /// <summary>Name of the structure, or of the tool.</summary>
        public string To { get; }

        public bool IsTip { get; }

        /// <summary>`ct` for structures, `reference` for tips; empty without a distance.</summary>
        public string InFrame { get; }

        /// <summary>`Valid` exactly if there is a distance.</summary>
        public Validity Validity { get; }

        /// <summary>Why there is none: show it, never the distance before.</summary>
        public string Reason { get; }

        /// <summary>The smallest; of a structure negative where the contour reaches into it.</summary>
        public double? DistanceMm { get; }

        /// <summary>95 of 100 such distances are off by less; null where that is not known.</summary>
        public double? P95Mm { get; }

        /// <summary>The contour reaches into the structure; or the tip lies in the contour's area, or above or below it.</summary>
        public bool IsInside { get; }

        /// <summary>It is only the least that is possible.</summary>
        public bool IsLeast { get; }

        /// <summary>Where on the contour; null without a distance.</summary>
        public double? NearestXPx { get; }

        public double? NearestYPx { get; }
    }

    internal struct DistanceRecord
    {
        internal int Contour;
        internal string To;
        internal bool IsTip;
        internal string InFrame;
        internal Validity Validity;
        internal string Reason;
        internal double? DistanceMm;
        internal double? P95Mm;
        internal bool IsInside;
        internal bool IsLeast;
        internal double? NearestXPx;
        internal double? NearestYPx;

        /// <summary>Reads one, without garbage.</summary>
        /// <exception cref="MalformedMessageException">Not a distance, or one that contradicts itself.</exception>
        internal static DistanceRecord Read(ReadOnlySpan<byte> body, KeptTexts texts)
        {
            var record = new DistanceRecord { To = "", InFrame = "", Reason = "" };
            ulong seen = 0;
            int at = 0;
            int length = 0;
            while (FieldReader.Next(body, ref at, ref length, out ushort tag))
            {
                if (tag >= UltrasoundDistanceTags.Contour && tag <= UltrasoundDistanceTags.NearestPx)
                {
                    FieldReader.Once(ref seen, tag - UltrasoundDistanceTags.Contour, "of an UltrasoundDistance");
                    record.Field(tag, body.Slice(at, length), texts);
                }
            }

            FieldReader.Require(seen, 0x13, "UltrasoundDistance", "contour, to, validity");
            record.Check();
            return record;
        }

        private void Check()
        {
            bool isValid = Validity == Validity.Valid;
            if (isValid != DistanceMm.HasValue || (!isValid && (P95Mm.HasValue || NearestXPx.HasValue)) || P95Mm < 0.0)
            {
                throw new MalformedMessageException(
                    $"a distance from a contour that is {Validity.Word()}, with other numbers than that", "one exactly where it is valid");
            }
        }

        private void Field(ushort tag, ReadOnlySpan<byte> payload, KeptTexts texts)
        {
            switch (tag)
            {
                case UltrasoundDistanceTags.Contour:
                    Contour = (int)Math.Min(int.MaxValue, WireBytes.ReadU32(UltrasoundDecoder.Sized(payload, 4, "u32"), 0));
                    break;
                case UltrasoundDistanceTags.To:
                    To = texts.Of(payload);
                    break;
                case UltrasoundDistanceTags.IsTip:
                    IsTip = UltrasoundDecoder.Flag(payload);
                    break;
                case UltrasoundDistanceTags.InFrame:
                    InFrame = texts.Of(payload);
                    break;
                case UltrasoundDistanceTags.Validity:
                    Validity = ValidityCodes.Decode(UltrasoundDecoder.Sized(payload, 1, "code")[0]);
                    break;
                case UltrasoundDistanceTags.Reason:
                    Reason = texts.Of(payload);
                    break;
                case UltrasoundDistanceTags.DistanceMm:
                    DistanceMm = UltrasoundDecoder.Number(payload);
                    break;
                case UltrasoundDistanceTags.P95Mm:
                    P95Mm = UltrasoundDecoder.Number(payload);
                    break;
                case UltrasoundDistanceTags.IsInside:
                    IsInside = UltrasoundDecoder.Flag(payload);
                    break;
                case UltrasoundDistanceTags.IsLeast:
                    IsLeast = UltrasoundDecoder.Flag(payload);
                    break;
                case UltrasoundDistanceTags.NearestPx:
                    var both = UltrasoundDecoder.Sized(payload, 16, "f64 array");
                    NearestXPx = UltrasoundDecoder.Number(both.Slice(0, 8));
                    NearestYPx = UltrasoundDecoder.Number(both.Slice(8, 8));
                    break;
            }
        }
    }
}
