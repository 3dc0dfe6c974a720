// Generated from unity_bridge/wire/wire_schema.toml by `make wire`: edit that, not this.
#nullable enable
using System;
using System.Collections.Generic;

namespace SurgNav.Core.Wire
{
    /// <summary>Every message begins with it.</summary>
    public partial struct MessageHeader
    {
        public const int Size = 64;

        /// <summary>`SNAV`.</summary>
        public uint Magic;
        /// <summary>1; refuse any other.</summary>
        public byte Major;
        /// <summary>0; accept any.</summary>
        public byte Minor;
        /// <summary>See the tables below.</summary>
        public ushort MessageType;
        /// <summary>64 or more; the body begins here.</summary>
        public ushort HeaderBytes;
        /// <summary>Bit 0: geometry is in Unity's convention; refuse poses without it.</summary>
        public ushort Flags;
        /// <summary>Header length plus body length must lie within the frame; ignore what follows.</summary>
        public uint BodyBytes;
        /// <summary>Counts this sender's messages on this socket from 1; on the pose socket those of each type by themselves.</summary>
        public ulong Sequence;
        /// <summary>Poses: when the sensor saw them; others: when the message was made.</summary>
        public long CaptureNs;
        /// <summary>The first 8 bytes of SHA-256 of the clock's name (`Welcome.clock_id`).</summary>
        public ulong Clock;
        /// <summary>Drawn anew whenever the server starts; zeros from a client not yet welcomed.</summary>
        public SessionId SessionId;
        /// <summary>Of the message as a whole, see below.</summary>
        public Validity Validity;

        /// <summary>Reads the numbers as they are: what they may be is the caller's to check.</summary>
        public static MessageHeader Read(ReadOnlySpan<byte> bytes)
        {
            bytes = bytes.Slice(0, Size);
            return new MessageHeader
            {
                Magic = WireBytes.ReadU32(bytes, 0),
                Major = WireBytes.ReadU8(bytes, 4),
                Minor = WireBytes.ReadU8(bytes, 5),
                MessageType = WireBytes.ReadU16(bytes, 6),
                HeaderBytes = WireBytes.ReadU16(bytes, 8),
                Flags = WireBytes.ReadU16(bytes, 10),
                BodyBytes = WireBytes.ReadU32(bytes, 12),
                Sequence = WireBytes.ReadU64(bytes, 16),
                CaptureNs = WireBytes.ReadI64(bytes, 24),
                Clock = WireBytes.ReadU64(bytes, 32),
                SessionId = WireBytes.ReadSessionId(bytes, 40),
                Validity = (Validity)WireBytes.ReadU8(bytes, 56),
            };
        }

        public readonly void Write(Span<byte> bytes)
        {
            bytes = bytes.Slice(0, Size);
            bytes.Slice(57, 7).Clear();
            WireBytes.WriteU32(bytes, 0, Magic);
            WireBytes.WriteU8(bytes, 4, Major);
            WireBytes.WriteU8(bytes, 5, Minor);
            WireBytes.WriteU16(bytes, 6, MessageType);
            WireBytes.WriteU16(bytes, 8, HeaderBytes);
            WireBytes.WriteU16(bytes, 10, Flags);
            WireBytes.WriteU32(bytes, 12, BodyBytes);
            WireBytes.WriteU64(bytes, 16, Sequence);
            WireBytes.WriteI64(bytes, 24, CaptureNs);
            WireBytes.WriteU64(bytes, 32, Clock);
            WireBytes.WriteSessionId(bytes, 40, SessionId);
            WireBytes.WriteU8(bytes, 56, (byte)Validity);
        }
    }

    /// <summary>Every tagged field begins with it.</summary>
    public partial struct FieldHead
    {
        public const int Size = 6;

        public ushort Tag;
        /// <summary>Bytes of the payload that follows.</summary>
        public uint Length;

        /// <summary>Reads the numbers as they are: what they may be is the caller's to check.</summary>
        public static FieldHead Read(ReadOnlySpan<byte> bytes)
        {
            bytes = bytes.Slice(0, Size);
            return new FieldHead
            {
                Tag = WireBytes.ReadU16(bytes, 0),
                Length = WireBytes.ReadU32(bytes, 2),
            };
        }

        public readonly void Write(Span<byte> bytes)
        {
            bytes = bytes.Slice(0, Size);
            WireBytes.WriteU16(bytes, 0, Tag);
            WireBytes.WriteU32(bytes, 2, Length);
        }
    }

    /// <summary>The table of tools of a pose batch begins with it.</summary>
    public partial struct ToolTableHead
    {
        public const int Size = 4;

        /// <summary>Bytes of one record.</summary>
        public ushort RecordBytes;
        /// <summary>Number of records.</summary>
        public ushort RecordCount;

        /// <summary>Reads the numbers as they are: what they may be is the caller's to check.</summary>
        public static ToolTableHead Read(ReadOnlySpan<byte> bytes)
        {
            bytes = bytes.Slice(0, Size);
            return new ToolTableHead
            {
                RecordBytes = WireBytes.ReadU16(bytes, 0),
                RecordCount = WireBytes.ReadU16(bytes, 2),
            };
        }

        public readonly void Write(Span<byte> bytes)
        {
            bytes = bytes.Slice(0, Size);
            WireBytes.WriteU16(bytes, 0, RecordBytes);
            WireBytes.WriteU16(bytes, 2, RecordCount);
        }
    }

    /// <summary>One tool in a pose batch. The first five are indices of strings.</summary>
    public partial struct ToolRecord
    {
        public const int Size = 56;

        /// <summary>Index of its name; each tool comes once.</summary>
        public ushort Tool;
        /// <summary>Index; the pose maps points from `from frame` to `to frame`.</summary>
        public ushort ToFrame;
        /// <summary>Index.</summary>
        public ushort FromFrame;
        /// <summary>Index; why the tool is not valid.</summary>
        public ushort Reason;
        /// <summary>Index of the id of the registration this rests on.</summary>
        public ushort Registration;
        /// <summary>1 to 4.</summary>
        public Validity Validity;
        /// <summary>Bit 0: there is a pose; bit 1: there is an expected error.</summary>
        public byte Flags;
        /// <summary>0 unless bit 1.</summary>
        public float ExpectedErrorMm;
        /// <summary>Of this pose; 0 unless bit 0.</summary>
        public long CaptureNs;
        /// <summary>0 unless bit 0.</summary>
        public Float3 PositionM;
        /// <summary>Unit quaternion x, y, z, w as Unity's `Quaternion`; **all zero** unless bit 0.</summary>
        public Float4 RotationXyzw;

        /// <summary>Reads the numbers as they are: what they may be is the caller's to check.</summary>
        public static ToolRecord Read(ReadOnlySpan<byte> bytes)
        {
            bytes = bytes.Slice(0, Size);
            return new ToolRecord
            {
                Tool = WireBytes.ReadU16(bytes, 0),
                ToFrame = WireBytes.ReadU16(bytes, 2),
                FromFrame = WireBytes.ReadU16(bytes, 4),
                Reason = WireBytes.ReadU16(bytes, 6),
                Registration = WireBytes.ReadU16(bytes, 8),
                Validity = (Validity)WireBytes.ReadU8(bytes, 10),
                Flags = WireBytes.ReadU8(bytes, 11),
                ExpectedErrorMm = WireBytes.ReadF32(bytes, 12),
                CaptureNs = WireBytes.ReadI64(bytes, 16),
                PositionM = WireBytes.ReadFloat3(bytes, 24),
                RotationXyzw = WireBytes.ReadFloat4(bytes, 36),
            };
        }

        public readonly void Write(Span<byte> bytes)
        {
            bytes = bytes.Slice(0, Size);
            bytes.Slice(52, 4).Clear();
            WireBytes.WriteU16(bytes, 0, Tool);
            WireBytes.WriteU16(bytes, 2, ToFrame);
            WireBytes.WriteU16(bytes, 4, FromFrame);
            WireBytes.WriteU16(bytes, 6, Reason);
            WireBytes.WriteU16(bytes, 8, Registration);
            WireBytes.WriteU8(bytes, 10, (byte)Validity);
            WireBytes.WriteU8(bytes, 11, Flags);
            WireBytes.WriteF32(bytes, 12, ExpectedErrorMm);
            WireBytes.WriteI64(bytes, 16, CaptureNs);
            WireBytes.WriteFloat3(bytes, 24, PositionM);
            WireBytes.WriteFloat4(bytes, 36, RotationXyzw);
        }
    }

    /// <summary>The covariance of one tool's origin, such as its tip, in a pose batch: Unity's axes of `to frame`, mm squared.</summary>
    public partial struct CovarianceRecord
    {
        public const int Size = 24;

        /// <summary>Xx, yy, zz; **all zero** where the covariance is not known.</summary>
        public Float3 VariancesMm2;
        /// <summary>Yz, xz, xy.</summary>
        public Float3 CovariancesMm2;

        /// <summary>Reads the numbers as they are: what they may be is the caller's to check.</summary>
        public static CovarianceRecord Read(ReadOnlySpan<byte> bytes)
        {
            bytes = bytes.Slice(0, Size);
            return new CovarianceRecord
            {
                VariancesMm2 = WireBytes.ReadFloat3(bytes, 0),
                CovariancesMm2 = WireBytes.ReadFloat3(bytes, 12),
            };
        }

        public readonly void Write(Span<byte> bytes)
        {
            bytes = bytes.Slice(0, Size);
            WireBytes.WriteFloat3(bytes, 0, VariancesMm2);
            WireBytes.WriteFloat3(bytes, 12, CovariancesMm2);
        }
    }

    /// <summary>What a filter made of one tool's measured pose; only valid tools have one. The tool table has the filtered pose.</summary>
    public partial struct FilteredRecord
    {
        public const int Size = 40;

        /// <summary>Of the tool's record in the tool table; each is greater than the last.</summary>
        public ushort Index;
        /// <summary>By how much the pose lags behind a motion at the speed of this moment.</summary>
        public float DelayMs;
        /// <summary>The pose holds for its capture time plus this; never predict it again. Its age is that of its capture time all the same.</summary>
        public float AheadMs;
        public Float3 RawPositionM;
        /// <summary>Unit quaternion.</summary>
        public Float4 RawRotationXyzw;

        /// <summary>Reads the numbers as they are: what they may be is the caller's to check.</summary>
        public static FilteredRecord Read(ReadOnlySpan<byte> bytes)
        {
            bytes = bytes.Slice(0, Size);
            return new FilteredRecord
            {
                Index = WireBytes.ReadU16(bytes, 0),
                DelayMs = WireBytes.ReadF32(bytes, 4),
                AheadMs = WireBytes.ReadF32(bytes, 8),
                RawPositionM = WireBytes.ReadFloat3(bytes, 12),
                RawRotationXyzw = WireBytes.ReadFloat4(bytes, 24),
            };
        }

        public readonly void Write(Span<byte> bytes)
        {
            bytes = bytes.Slice(0, Size);
            bytes.Slice(2, 2).Clear();
            WireBytes.WriteU16(bytes, 0, Index);
            WireBytes.WriteF32(bytes, 4, DelayMs);
            WireBytes.WriteF32(bytes, 8, AheadMs);
            WireBytes.WriteFloat3(bytes, 12, RawPositionM);
            WireBytes.WriteFloat4(bytes, 24, RawRotationXyzw);
        }
    }

    /// <summary>A surface payload begins with it.</summary>
    public partial struct SurfaceHeader
    {
        public const int Size = 56;

        /// <summary>`SNSF`.</summary>
        public uint Magic;
        /// <summary>1.</summary>
        public byte Major;
        /// <summary>2 or 4.</summary>
        public byte IndexBytes;
        /// <summary>56 or more.</summary>
        public ushort HeaderBytes;
        public uint VertexCount;
        public uint TriangleCount;
        /// <summary>The cube's corner.</summary>
        public Double3 MinimumM;
        /// <summary>The cube's edge, the same along all axes.</summary>
        public double EdgeM;
        /// <summary>UTF-8, 255 at most.</summary>
        public ushort NameBytes;
        public ushort FrameBytes;

        /// <summary>Reads the numbers as they are: what they may be is the caller's to check.</summary>
        public static SurfaceHeader Read(ReadOnlySpan<byte> bytes)
        {
            bytes = bytes.Slice(0, Size);
            return new SurfaceHeader
            {
                Magic = WireBytes.ReadU32(bytes, 0),
                Major = WireBytes.ReadU8(bytes, 4),
                IndexBytes = WireBytes.ReadU8(bytes, 5),
                HeaderBytes = WireBytes.ReadU16(bytes, 6),
                VertexCount = WireBytes.ReadU32(bytes, 8),
                TriangleCount = WireBytes.ReadU32(bytes, 12),
                MinimumM = WireBytes.ReadDouble3(bytes, 16),
                EdgeM = WireBytes.ReadF64(bytes, 40),
                NameBytes = WireBytes.ReadU16(bytes, 48),
                FrameBytes = WireBytes.ReadU16(bytes, 50),
            };
        }

        public readonly void Write(Span<byte> bytes)
        {
            bytes = bytes.Slice(0, Size);
            bytes.Slice(52, 4).Clear();
            WireBytes.WriteU32(bytes, 0, Magic);
            WireBytes.WriteU8(bytes, 4, Major);
            WireBytes.WriteU8(bytes, 5, IndexBytes);
            WireBytes.WriteU16(bytes, 6, HeaderBytes);
            WireBytes.WriteU32(bytes, 8, VertexCount);
            WireBytes.WriteU32(bytes, 12, TriangleCount);
            WireBytes.WriteDouble3(bytes, 16, MinimumM);
            WireBytes.WriteF64(bytes, 40, EdgeM);
            WireBytes.WriteU16(bytes, 48, NameBytes);
            WireBytes.WriteU16(bytes, 50, FrameBytes);
        }
    }

    /// <summary>A compressed surface begins with it.</summary>
    public partial struct CompressedSurfaceHeader
    {
        public const int Size = 16;

        /// <summary>`SNSC`.</summary>
        public uint Magic;
        /// <summary>1.</summary>
        public ushort Major;
        /// <summary>16 or more; the payload's own head begins here.</summary>
        public ushort HeaderBytes;
        /// <summary>Connected parts.</summary>
        public uint RootCount;
        /// <summary>Follows from the counts; refuse another number before inflating.</summary>
        public uint PackedBytes;

        /// <summary>Reads the numbers as they are: what they may be is the caller's to check.</summary>
        public static CompressedSurfaceHeader Read(ReadOnlySpan<byte> bytes)
        {
            bytes = bytes.Slice(0, Size);
            return new CompressedSurfaceHeader
            {
                Magic = WireBytes.ReadU32(bytes, 0),
                Major = WireBytes.ReadU16(bytes, 4),
                HeaderBytes = WireBytes.ReadU16(bytes, 6),
                RootCount = WireBytes.ReadU32(bytes, 8),
                PackedBytes = WireBytes.ReadU32(bytes, 12),
            };
        }

        public readonly void Write(Span<byte> bytes)
        {
            bytes = bytes.Slice(0, Size);
            WireBytes.WriteU32(bytes, 0, Magic);
            WireBytes.WriteU16(bytes, 4, Major);
            WireBytes.WriteU16(bytes, 6, HeaderBytes);
            WireBytes.WriteU32(bytes, 8, RootCount);
            WireBytes.WriteU32(bytes, 12, PackedBytes);
        }
    }

    /// <summary>One vertex of a surface payload, as Unity's Mesh API uploads it.</summary>
    public static class SurfaceVertex
    {
        public const int Size = 12;
        public const int PositionOffset = 0;
        public const int NormalOffset = 8;
    }
}
