#nullable enable
using System;

namespace SurgNav.Core.Wire
{
    /// <summary>
    /// Steps through the tagged fields of a body. Each length is checked against what is left before it is used.
    /// </summary>
    internal struct FieldReader
    {
        private readonly ReadOnlyMemory<byte> body;
        private int payloadAt;
        private int payloadBytes;

        internal FieldReader(ReadOnlyMemory<byte> body)
        {
            this.body = body;
            payloadAt = 0;
            payloadBytes = 0;
            Tag = 0;
        }

        internal ushort Tag { get; private set; }

        private readonly ReadOnlySpan<byte> Payload => body.Span.Slice(payloadAt, payloadBytes);

        /// <summary>Steps to the next field; false at the end.</summary>
        internal bool Next()
        {
            return Next(body.Span, ref payloadAt, ref payloadBytes, out var tag) && SetTag(tag);
        }

        /// <summary>
        /// Steps from the payload at <paramref name="at"/> to the one after it. For readers that make no garbage.
        /// </summary>
        internal static bool Next(ReadOnlySpan<byte> body, ref int at, ref int length, out ushort tag)
        {
            tag = 0;
            int left = body.Length - at - length;
            at += length;
            length = 0;
            if (left == 0)
            {
                return false;
            }

            if (left < FieldHead.Size)
            {
                throw new MalformedMessageException($"{left} stray bytes after the last field", "whole fields");
            }

            var head = FieldHead.Read(body.Slice(at));
            left -= FieldHead.Size;
            if (head.Length > (uint)left)
            {
                throw new MalformedMessageException(
                    $"field {head.Tag} of {head.Length} bytes where {left} are left", "fields within the body");
            }

            at += FieldHead.Size;
            length = (int)head.Length;
            tag = head.Tag;
            return true;
        }

        /// <summary>Marks a field as seen; one that does not repeat comes once.</summary>
        internal static void Once(ref ulong seen, int index, string name)
        {
            ulong bit = 1UL << index;
            if ((seen & bit) != 0)
            {
                throw new MalformedMessageException($"field '{name}' twice", "once");
            }

            seen |= bit;
        }

        internal static void CheckRepeats(int count, string name)
        {
            if (count >= Constants.RepeatLimit)
            {
                throw new MalformedMessageException(
                    $"more than {Constants.RepeatLimit} of '{name}'", $"at most {Constants.RepeatLimit}");
            }
        }

        internal static void Require(ulong seen, ulong required, string message, string names)
        {
            if ((seen & required) != required)
            {
                throw new MalformedMessageException($"a {message} without all that it must have", $"all of {names}");
            }
        }

        internal readonly byte Byte() => Sized(1, "code")[0];

        internal readonly uint U32() => WireBytes.ReadU32(Sized(4, "u32"), 0);

        internal readonly ulong U64() => WireBytes.ReadU64(Sized(8, "u64"), 0);

        internal readonly long I64() => WireBytes.ReadI64(Sized(8, "i64"), 0);

        internal readonly double F64() => Finite(WireBytes.ReadF64(Sized(8, "f64"), 0));

        internal readonly double[] F64Array(int count)
        {
            var bytes = Sized(8 * count, "f64 array");
            var values = new double[count];
            for (int index = 0; index < count; index++)
            {
                values[index] = Finite(WireBytes.ReadF64(bytes, 8 * index));
            }

            return values;
        }

        /// <summary>Three numbers in metres.</summary>
        internal readonly double[] Position() => NearPosition(F64Array(3));

        /// <summary>Beyond the limit is a mistake of units, or noise.</summary>
        internal static double[] NearPosition(double[] values)
        {
            foreach (double value in values)
            {
                if (!(Math.Abs(value) <= Constants.PositionLimitM))
                {
                    throw new MalformedMessageException(
                        $"a position with {value} m", $"within {Constants.PositionLimitM} m along each axis");
                }
            }

            return values;
        }

        internal readonly bool Flag()
        {
            byte value = Sized(1, "flag")[0];
            return value <= 1 ? value == 1 : throw new MalformedMessageException($"a flag of {value}", "0 or 1");
        }

        internal readonly string Text() => WireBytes.Text(Payload, Constants.TextLimitBytes);

        /// <summary>32 bytes, as 64 lower-case hexadecimal digits.</summary>
        internal readonly string Sha256()
        {
            return Hexadecimal.Write(Sized(32, "SHA-256"));
        }

        /// <summary>A view of the body, not a copy.</summary>
        internal readonly ReadOnlyMemory<byte> Blob() => body.Slice(payloadAt, payloadBytes);

        private static double Finite(double value)
        {
            return WireBytes.IsFinite(value) ? value : throw Refuse.Number("f64");
        }

        private readonly ReadOnlySpan<byte> Sized(int bytes, string what)
        {
            return payloadBytes == bytes ? Payload : throw Refuse.Size(what, payloadBytes, bytes);
        }

        private bool SetTag(ushort tag)
        {
            Tag = tag;
            return true;
        }
    }

    /// <summary>Hashes as the protocol's JSON and the manifest's readers write them.</summary>
    internal static class Hexadecimal
    {
        private const string Digits = "0123456789abcdef";

        internal static string Write(ReadOnlySpan<byte> bytes)
        {
            Span<char> text = stackalloc char[2 * bytes.Length];
            for (int index = 0; index < bytes.Length; index++)
            {
                text[2 * index] = Digits[bytes[index] >> 4];
                text[(2 * index) + 1] = Digits[bytes[index] & 15];
            }

            return new string(text);
        }

        /// <exception cref="MalformedMessageException">Not two digits for each byte.</exception>
        internal static void Read(string text, Span<byte> bytes)
        {
            if (text.Length != 2 * bytes.Length)
            {
                throw new MalformedMessageException($"a hash of {text.Length} digits", $"{2 * bytes.Length}");
            }

            for (int index = 0; index < bytes.Length; index++)
            {
                bytes[index] = (byte)((Digit(text[2 * index]) << 4) | Digit(text[(2 * index) + 1]));
            }
        }

        private static int Digit(char digit)
        {
            int value = Digits.IndexOf(char.ToLowerInvariant(digit));
            return value >= 0 ? value : throw new MalformedMessageException($"the digit '{digit}'", Digits);
        }
    }
}
