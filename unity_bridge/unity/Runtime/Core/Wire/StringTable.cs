#nullable enable
using System;
using System.Collections.Generic;

namespace SurgNav.Core.Wire
{
    /// <summary>
    /// The strings of a pose batch. From one batch to the next they hardly ever change: the bytes are compared with the
    /// last ones, and equal ones cost nothing.
    /// </summary>
    internal sealed class StringTable
    {
        private byte[] bytes = Array.Empty<byte>();
        private int byteCount;
        private string[] strings = Array.Empty<string>();
        private bool[] areFrames = Array.Empty<bool>();

        internal string[] Strings => strings;

        /// <exception cref="MalformedMessageException">Not a table; the strings are those of before.</exception>
        internal void Decode(ReadOnlySpan<byte> payload)
        {
            if (strings.Length > 0 && payload.SequenceEqual(bytes.AsSpan(0, byteCount)))
            {
                return;
            }

            var decoded = Unpack(payload);
            if (bytes.Length < payload.Length)
            {
                bytes = new byte[payload.Length];
            }

            payload.CopyTo(bytes);
            byteCount = payload.Length;
            strings = decoded;
            areFrames = new bool[decoded.Length];
        }

        /// <exception cref="MalformedMessageException">The string is no frame's name.</exception>
        internal void CheckFrame(int index)
        {
            if (!areFrames[index])
            {
                FrameName.Check(strings[index]);
                areFrames[index] = true;
            }
        }

        private static string[] Unpack(ReadOnlySpan<byte> payload)
        {
            const int headBytes = 2;
            var unpacked = new List<string>();
            var seen = new HashSet<string>(StringComparer.Ordinal);
            for (int at = 0; at < payload.Length;)
            {
                if (unpacked.Count >= Constants.MaxStrings || payload.Length - at < headBytes)
                {
                    throw new MalformedMessageException(
                        $"a string table that goes on after {unpacked.Count} strings",
                        $"at most {Constants.MaxStrings} whole strings");
                }

                int length = WireBytes.ReadU16(payload, at);
                at += headBytes;
                if (length > payload.Length - at)
                {
                    throw new MalformedMessageException(
                        $"a string of {length} bytes where {payload.Length - at} are left", "strings within the field");
                }

                string text = WireBytes.Text(payload.Slice(at, length), Constants.TextLimitBytes);
                at += length;
                if (!seen.Add(text) || (unpacked.Count == 0 && text.Length > 0))
                {
                    throw Malformed();
                }

                unpacked.Add(text);
            }

            return unpacked.Count > 0 ? unpacked.ToArray() : throw Malformed();
        }

        private static MalformedMessageException Malformed()
        {
            return new MalformedMessageException(
                "a string table with repetitions, or without '' at index 0", "each string once");
        }
    }
}
