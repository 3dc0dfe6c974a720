#nullable enable
using System;

namespace SurgNav.Core.Transport
{
    /// <summary>Bytes as text in which five characters stand for four bytes (ZeroMQ RFC 32); how keys are written.</summary>
    public static class Z85
    {
        private const string Alphabet =
            "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

        /// <exception cref="TransportException">Not a multiple of four bytes.</exception>
        public static string Encode(ReadOnlySpan<byte> bytes)
        {
            if (bytes.Length % 4 != 0)
            {
                throw new TransportException($"{bytes.Length} bytes for Z85", "a multiple of four", "pad them");
            }

            var text = new char[bytes.Length / 4 * 5];
            for (int at = 0; at < bytes.Length / 4; at++)
            {
                var group = bytes.Slice(4 * at, 4);
                uint value = ((uint)group[0] << 24) | ((uint)group[1] << 16) | ((uint)group[2] << 8) | group[3];
                for (int place = 4; place >= 0; place--)
                {
                    text[(5 * at) + place] = Alphabet[(int)(value % 85)];
                    value /= 85;
                }
            }

            return new string(text);
        }

        /// <exception cref="TransportException">Not Z85. The text, which may be a secret, is not repeated.</exception>
        public static byte[] Decode(string text)
        {
            if (text.Length % 5 != 0)
            {
                throw Refused($"a text of {text.Length} characters");
            }

            var bytes = new byte[text.Length / 5 * 4];
            for (int at = 0; at < text.Length / 5; at++)
            {
                ulong value = 0;
                for (int place = 0; place < 5; place++)
                {
                    int digit = Alphabet.IndexOf(text[(5 * at) + place]);
                    value = digit < 0 ? throw Refused("a character that is none of Z85's") : (value * 85) + (ulong)digit;
                }

                if (value > uint.MaxValue)
                {
                    throw Refused("five characters that stand for more than four bytes");
                }

                for (int index = 0; index < 4; index++)
                {
                    bytes[(4 * at) + index] = (byte)(value >> (24 - (8 * index)));
                }
            }

            return bytes;
        }

        private static TransportException Refused(string came)
        {
            return new TransportException(came, "Z85, as keys are written: 40 characters", "copy the whole key");
        }
    }
}
