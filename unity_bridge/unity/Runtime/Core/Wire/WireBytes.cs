#nullable enable
using System;
using System.Buffers.Binary;
using System.Text;

namespace SurgNav.Core.Wire
{
    /// <summary>Sixteen bytes that name one run of a server.</summary>
    public readonly struct SessionId : IEquatable<SessionId>
    {
        public const int Size = 16;

        internal readonly ulong Low;
        internal readonly ulong High;

        internal SessionId(ulong low, ulong high)
        {
            Low = low;
            High = high;
        }

        /// <summary>All zeros: a client that was not welcomed yet.</summary>
        public bool IsNone => Low == 0 && High == 0;

        public static bool operator ==(SessionId one, SessionId other) => one.Equals(other);

        public static bool operator !=(SessionId one, SessionId other) => !one.Equals(other);

        public bool Equals(SessionId other) => Low == other.Low && High == other.High;

        public override bool Equals(object? other) => other is SessionId session && Equals(session);

        public override int GetHashCode() => HashCode.Combine(Low, High);

        /// <summary>32 hexadecimal digits, in the order of the bytes.</summary>
        public override string ToString()
        {
            Span<byte> bytes = stackalloc byte[Size];
            WireBytes.WriteSessionId(bytes, 0, this);
            return Hexadecimal.Write(bytes);
        }
    }

    /// <summary>Unity's axes, in metres.</summary>
    public struct Float3
    {
        public float X;
        public float Y;
        public float Z;
    }

    /// <summary>A quaternion in Unity's order.</summary>
    public struct Float4
    {
        public float X;
        public float Y;
        public float Z;
        public float W;
    }

    /// <summary>Unity's axes, in metres.</summary>
    public struct Double3
    {
        public double X;
        public double Y;
        public double Z;
    }

    /// <summary>Little-endian numbers at a place; the span is long enough, or the runtime throws.</summary>
    internal static class WireBytes
    {
        /// <summary>Strict: bytes that are not UTF-8 are refused, never replaced.</summary>
        internal static readonly UTF8Encoding Utf8 = new UTF8Encoding(false, true);

        internal static byte ReadU8(ReadOnlySpan<byte> bytes, int at) => bytes[at];

        internal static ushort ReadU16(ReadOnlySpan<byte> bytes, int at)
        {
            return BinaryPrimitives.ReadUInt16LittleEndian(bytes.Slice(at));
        }

        internal static uint ReadU32(ReadOnlySpan<byte> bytes, int at)
        {
            return BinaryPrimitives.ReadUInt32LittleEndian(bytes.Slice(at));
        }

        internal static ulong ReadU64(ReadOnlySpan<byte> bytes, int at)
        {
            return BinaryPrimitives.ReadUInt64LittleEndian(bytes.Slice(at));
        }

        internal static long ReadI64(ReadOnlySpan<byte> bytes, int at)
        {
            return BinaryPrimitives.ReadInt64LittleEndian(bytes.Slice(at));
        }

        internal static float ReadF32(ReadOnlySpan<byte> bytes, int at)
        {
            return BitConverter.Int32BitsToSingle(BinaryPrimitives.ReadInt32LittleEndian(bytes.Slice(at)));
        }

        internal static double ReadF64(ReadOnlySpan<byte> bytes, int at)
        {
            return BitConverter.Int64BitsToDouble(ReadI64(bytes, at));
        }

        internal static SessionId ReadSessionId(ReadOnlySpan<byte> bytes, int at)
        {
            return new SessionId(ReadU64(bytes, at), ReadU64(bytes, at + 8));
        }

        internal static Float3 ReadFloat3(ReadOnlySpan<byte> bytes, int at)
        {
            return new Float3 { X = ReadF32(bytes, at), Y = ReadF32(bytes, at + 4), Z = ReadF32(bytes, at + 8) };
        }

        internal static Float4 ReadFloat4(ReadOnlySpan<byte> bytes, int at)
        {
            return new Float4
            {
                X = ReadF32(bytes, at),
                Y = ReadF32(bytes, at + 4),
                Z = ReadF32(bytes, at + 8),
                W = ReadF32(bytes, at + 12),
            };
        }

        internal static Double3 ReadDouble3(ReadOnlySpan<byte> bytes, int at)
        {
            return new Double3 { X = ReadF64(bytes, at), Y = ReadF64(bytes, at + 8), Z = ReadF64(bytes, at + 16) };
        }

        internal static void WriteU8(Span<byte> bytes, int at, byte value) => bytes[at] = value;

        internal static void WriteU16(Span<byte> bytes, int at, ushort value)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(bytes.Slice(at), value);
        }

        internal static void WriteU32(Span<byte> bytes, int at, uint value)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.Slice(at), value);
        }

        internal static void WriteU64(Span<byte> bytes, int at, ulong value)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.Slice(at), value);
        }

        internal static void WriteI64(Span<byte> bytes, int at, long value)
        {
            BinaryPrimitives.WriteInt64LittleEndian(bytes.Slice(at), value);
        }

        internal static void WriteF32(Span<byte> bytes, int at, float value)
        {
            BinaryPrimitives.WriteInt32LittleEndian(bytes.Slice(at), BitConverter.SingleToInt32Bits(value));
        }

        internal static void WriteF64(Span<byte> bytes, int at, double value)
        {
            WriteI64(bytes, at, BitConverter.DoubleToInt64Bits(value));
        }

        internal static void WriteSessionId(Span<byte> bytes, int at, SessionId value)
        {
            WriteU64(bytes, at, value.Low);
            WriteU64(bytes, at + 8, value.High);
        }

        internal static void WriteFloat3(Span<byte> bytes, int at, Float3 value)
        {
            WriteF32(bytes, at, value.X);
            WriteF32(bytes, at + 4, value.Y);
            WriteF32(bytes, at + 8, value.Z);
        }

        internal static void WriteFloat4(Span<byte> bytes, int at, Float4 value)
        {
            WriteF32(bytes, at, value.X);
            WriteF32(bytes, at + 4, value.Y);
            WriteF32(bytes, at + 8, value.Z);
            WriteF32(bytes, at + 12, value.W);
        }

        internal static void WriteDouble3(Span<byte> bytes, int at, Double3 value)
        {
            WriteF64(bytes, at, value.X);
            WriteF64(bytes, at + 8, value.Y);
            WriteF64(bytes, at + 16, value.Z);
        }

        /// <summary>UTF-8 of at most so many bytes.</summary>
        internal static string Text(ReadOnlySpan<byte> bytes, int limit)
        {
            if (bytes.Length > limit)
            {
                throw new MalformedMessageException($"a text of {bytes.Length} bytes", $"at most {limit}");
            }

            try
            {
                return Utf8.GetString(bytes);
            }
            catch (DecoderFallbackException)
            {
                throw new MalformedMessageException("a text that is not UTF-8", "UTF-8");
            }
        }

        internal static bool IsFinite(double value) => !(double.IsNaN(value) || double.IsInfinity(value));
    }
}
