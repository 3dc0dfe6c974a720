#nullable enable
using System;

namespace SurgNav.Core.Wire
{
    /// <summary>
    /// One frame of live ultrasound. The object is reused: a decoder fills it again and again, so copy what is to stay.
    /// </summary>
    public sealed class UltrasoundData
    {
        internal ContourRecord[] Records = Array.Empty<ContourRecord>();
        internal DistanceRecord[] Distances = Array.Empty<DistanceRecord>();
        internal float[] Coordinates = Array.Empty<float>();
        internal byte[] ImageBytes = Array.Empty<byte>();

        public MessageHeader Header { get; internal set; }

        /// <summary>Counts the frames of the source; 0 before the first.</summary>
        public ulong Number { get; internal set; }

        /// <summary>The instant that the image shows, on the server's clock.</summary>
        public long ShowsNs { get; internal set; }

        public string Source { get; internal set; } = "";

        /// <summary>`usable`, or why there are no contours.</summary>
        public string State { get; internal set; } = "";

        /// <summary>That state in words; empty if usable.</summary>
        public string Reason { get; internal set; } = "";

        /// <summary>Of the frame that the contours are in.</summary>
        public int WidthPx { get; internal set; }

        public int HeightPx { get; internal set; }

        /// <summary>Whether it is known where the frame lies; `valid` has a place, `suspect` may have one that is doubted.</summary>
        public Validity Placing { get; internal set; }

        /// <summary>The next four say where it lies, beyond doubt only if <see cref="Placing"/> is valid.</summary>
        public bool HasPlace { get; internal set; }

        public string PlacingReason { get; internal set; } = "";

        /// <summary>The frame whose Transform is the parent; empty without a place.</summary>
        public string ToFrame { get; internal set; } = "";

        /// <summary>Middle of the first pixel, in Unity's axes and metres; zeros without a place.</summary>
        public Double3 FirstPixelM { get; internal set; }

        /// <summary>From one pixel to the next along a row.</summary>
        public Double3 AlongXM { get; internal set; }

        /// <summary>From one pixel to the next down the depth.</summary>
        public Double3 AlongYM { get; internal set; }

        /// <summary>95 of 100 frames lie within it of where they are shown; null where that is not known.</summary>
        public double? ExpectedP95Mm { get; internal set; }

        public int ContourCount { get; internal set; }

        /// <summary>How many distances the frame has, from its contours to structures and tips.</summary>
        public int DistanceCount { get; internal set; }

        /// <summary>The JPEG; empty without one.</summary>
        public ReadOnlyMemory<byte> Image => new ReadOnlyMemory<byte>(ImageBytes, 0, ImageLength);

        /// <summary>What <see cref="Image"/> is the beginning of: for decoders that take an array. A JPEG says itself where it ends.</summary>
        public byte[] ImageBuffer => ImageBytes;

        internal int ImageLength { get; set; }

        internal int CoordinateCount { get; set; }

        public UltrasoundOutline this[int index]
        {
            get
            {
                var records = new ReadOnlySpan<ContourRecord>(Records, 0, ContourCount);
                return new UltrasoundOutline(records[index], Coordinates);
            }
        }

        public ContourDistance Distance(int index)
        {
            return new ContourDistance(new ReadOnlySpan<DistanceRecord>(Distances, 0, DistanceCount)[index]);
        }

        internal void Clear()
        {
            DistanceCount = 0;
            Header = default;
            Number = 0;
            ContourCount = 0;
            CoordinateCount = 0;
            ImageLength = 0;
            Placing = Validity.Lost;
            HasPlace = false;
            ExpectedP95Mm = null;
            FirstPixelM = default;
            AlongXM = default;
            AlongYM = default;
        }
    }

    /// <summary>One structure in a frame: a view of its UltrasoundData.</summary>
    public readonly struct UltrasoundOutline
    {
        private readonly ContourRecord record;
        private readonly float[] coordinates;

        internal UltrasoundOutline(in ContourRecord record, float[] coordinates)
        {
            this.record = record;
            this.coordinates = coordinates;
        }

        public string Structure => record.Structure;

        /// <summary>The last point is joined to the first.</summary>
        public bool IsClosed => record.IsClosed;

        /// <summary>0 to 1; null from a method that has none.</summary>
        public double? Confidence => record.Confidence;

        public int Count => record.PointCount;

        /// <summary>x and y of each point in turn, in pixels of the frame.</summary>
        public ReadOnlySpan<float> PointsPx => new ReadOnlySpan<float>(coordinates, record.FirstCoordinate, 2 * record.PointCount);
    }

    internal struct ContourRecord
    {
        internal string Structure;
        internal bool IsClosed;
        internal double? Confidence;
        internal int FirstCoordinate;
        internal int PointCount;
    }
}
