#nullable enable
using System;
using System.Text;

namespace SurgNav.Core.Wire
{
    /// <summary>A buffer that messages are written into, one after the other; it keeps its memory.</summary>
    public sealed class WireWriter
    {
        private byte[] bytes = new byte[256];

        public int Length { get; private set; }

        /// <summary>What was written last; valid until the next message is.</summary>
        public ReadOnlyMemory<byte> Written => bytes.AsMemory(0, Length);

        internal void Clear() => Length = 0;

        /// <summary>Appends bytes to be filled in, and returns where they begin.</summary>
        internal int Reserve(int count)
        {
            int at = Length;
            if (at + count > bytes.Length)
            {
                Array.Resize(ref bytes, Math.Max(2 * bytes.Length, at + count));
            }

            Length += count;
            return at;
        }

        internal Span<byte> At(int at, int count) => bytes.AsSpan(at, count);

        /// <summary>Begins a nested field; what is written until End is its payload.</summary>
        internal int Begin(ushort tag)
        {
            int at = Reserve(FieldHead.Size);
            new FieldHead { Tag = tag }.Write(At(at, FieldHead.Size));
            return at;
        }

        internal void End(int at)
        {
            WireBytes.WriteU32(bytes, at + 2, (uint)(Length - at - FieldHead.Size));
        }

        internal void Byte(ushort tag, byte value) => Field(tag, 1)[0] = value;

        internal void Flag(ushort tag, bool value) => Byte(tag, value ? (byte)1 : (byte)0);

        internal void U32(ushort tag, uint value) => WireBytes.WriteU32(Field(tag, 4), 0, value);

        internal void U64(ushort tag, ulong value) => WireBytes.WriteU64(Field(tag, 8), 0, value);

        internal void I64(ushort tag, long value) => WireBytes.WriteI64(Field(tag, 8), 0, value);

        internal void F64(ushort tag, double value) => WireBytes.WriteF64(Field(tag, 8), 0, Finite(value));

        internal void F64Array(ushort tag, double[] values, int count)
        {
            if (values.Length != count)
            {
                throw new MalformedMessageException($"{values.Length} numbers to be sent", $"{count}");
            }

            var payload = Field(tag, 8 * count);
            for (int index = 0; index < count; index++)
            {
                WireBytes.WriteF64(payload, 8 * index, Finite(values[index]));
            }
        }

        internal void Position(ushort tag, double[] values) => F64Array(tag, FieldReader.NearPosition(values), 3);

        internal void Text(ushort tag, string text)
        {
            int count;
            try
            {
                count = WireBytes.Utf8.GetByteCount(text);
            }
            catch (EncoderFallbackException)
            {
                throw new MalformedMessageException("half of a surrogate pair in a text to be sent", "Unicode");
            }

            if (count > Constants.TextLimitBytes)
            {
                throw new MalformedMessageException(
                    $"a text of {count} bytes to be sent", $"at most {Constants.TextLimitBytes}");
            }

            WireBytes.Utf8.GetBytes(text, Field(tag, count));
        }

        internal void Sha256(ushort tag, string hash) => Hexadecimal.Read(hash, Field(tag, 32));

        internal void Blob(ushort tag, ReadOnlyMemory<byte> blob) => blob.Span.CopyTo(Field(tag, blob.Length));

        private static double Finite(double value)
        {
            return WireBytes.IsFinite(value) ? value : throw Refuse.Number("f64 to be sent");
        }

        private Span<byte> Field(ushort tag, int count)
        {
            int at = Begin(tag);
            Reserve(count);
            End(at);
            return At(at + FieldHead.Size, count);
        }
    }
}
