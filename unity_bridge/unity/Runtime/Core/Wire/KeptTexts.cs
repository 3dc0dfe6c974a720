#nullable enable
using System;

namespace SurgNav.Core.Wire
{
    /// <summary>
    /// Texts that come again and again, such as names and reasons: each is decoded once, as long as it keeps coming.
    /// </summary>
    internal sealed class KeptTexts
    {
        private const int Kept = 64;
        private readonly byte[][] bytes = new byte[Kept][];
        private readonly string[] texts = new string[Kept];
        private int next;

        /// <exception cref="MalformedMessageException">Too long, or not UTF-8.</exception>
        internal string Of(ReadOnlySpan<byte> text)
        {
            if (text.IsEmpty)
            {
                return "";
            }

            for (int at = 0; at < Kept; at++)
            {
                if (bytes[at] != null && text.SequenceEqual(bytes[at]))
                {
                    return texts[at];
                }
            }

            string made = WireBytes.Text(text, Constants.TextLimitBytes);
            bytes[next] = text.ToArray();
            texts[next] = made;
            next = (next + 1) % Kept;
            return made;
        }
    }
}
