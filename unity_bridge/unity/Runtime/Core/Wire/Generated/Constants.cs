// Generated from unity_bridge/wire/wire_schema.toml by `make wire`: edit that, not this.
#nullable enable
using System;
using System.Collections.Generic;

namespace SurgNav.Core.Wire
{
    /// <summary>Numbers that both ends agree on.</summary>
    public static class Constants
    {
        /// <summary>A message begins with it.</summary>
        public const uint WireMagic = 0x56414E53;
        /// <summary>Refuse any other.</summary>
        public const int WireMajor = 1;
        /// <summary>Accept any.</summary>
        public const int WireMinor = 0;
        /// <summary>Length of a session id.</summary>
        public const int SessionBytes = 16;
        /// <summary>Header flags: geometry is in Unity's convention; always set in v1.</summary>
        public const int FlagUnityConvention = 1;
        /// <summary>Of a text's UTF-8.</summary>
        public const int TextLimitBytes = 1024;
        /// <summary>How often a repeated tag may come.</summary>
        public const int RepeatLimit = 4096;
        /// <summary>Records in one pose batch.</summary>
        public const int MaxTools = 256;
        /// <summary>Strings in one pose batch.</summary>
        public const int MaxStrings = 2048;
        /// <summary>Delay of a filter, and prediction, of one pose.</summary>
        public const int MaxFilteringMs = 1000;
        /// <summary>Flags of a tool record: there is a pose.</summary>
        public const int HasPose = 1;
        /// <summary>Flags of a tool record: there is an expected error.</summary>
        public const int HasError = 2;
        /// <summary>Of a quaternion's squared length; single precision leaves 1e-7.</summary>
        public const double UnitTolerance = 0.0001;
        /// <summary>Of a covariance's minors, by the sum of its variances; single precision leaves 1e-7.</summary>
        public const double CovarianceTolerance = 1e-05;
        /// <summary>Beyond a kilometre nothing is tracked, no anatomy: a unit mistake or noise.</summary>
        public const double PositionLimitM = 1000.0;
        /// <summary>Of an expected error.</summary>
        public const double MaxErrorMm = 1000000.0;
        /// <summary>A surface payload begins with it.</summary>
        public const uint SurfaceMagic = 0x46534E53;
        /// <summary>Refuse any other.</summary>
        public const int SurfaceMajor = 1;
        /// <summary>Of a surface payload: 256 MiB.</summary>
        public const int MaxPayloadBytes = 268435456;
        /// <summary>A compressed surface begins with it.</summary>
        public const uint CompressedMagic = 0x43534E53;
        /// <summary>Refuse any other.</summary>
        public const int CompressedMajor = 1;
        /// <summary>Of detail, of one surface.</summary>
        public const int MaxLevels = 8;
        /// <summary>Generations of triangles in a compressed surface.</summary>
        public const int MaxRings = 16384;
        /// <summary>Of a surface's name and of its frame, UTF-8.</summary>
        public const int NameLimitBytes = 255;
        /// <summary>Along the edge of a surface's cube: UNorm16.</summary>
        public const int PositionSteps = 65535;
        /// <summary>In one ToolObservations.</summary>
        public const int MaxObservedTools = 64;
        /// <summary>Of a normal's component: SNorm8.</summary>
        public const int NormalSteps = 127;}
}
