#nullable enable
using System;

namespace SurgNav.Core.Transport
{
    /// <summary>Frames that wait for the network, bounded in number and bytes, ready to go out as they lie here.</summary>
    internal sealed class SendQueue
    {
        /// <summary>Kept free for the protocol's own commands, which the bounds for messages leave alone.</summary>
        internal const int ControlBytes = 2048;

        private readonly int maxBytes;
        private readonly long[] ends; // where each waiting message ends, in bytes since the start; a ring
        private byte[] bytes = new byte[4096];
        private int start;
        private int end;
        private long sent;
        private int oldest;

        internal SendQueue(int maxMessages, int maxBytes)
        {
            this.maxBytes = maxBytes;
            ends = new long[maxMessages];
        }

        internal bool IsEmpty => start == end;

        /// <summary>Messages that wait, a half-sent one among them.</summary>
        internal int Messages { get; private set; }

        internal ArraySegment<byte> Waiting => new ArraySegment<byte>(bytes, start, end - start);

        internal void Clear()
        {
            start = 0;
            end = 0;
            sent = 0;
            Messages = 0;
        }

        /// <summary>Is there room for a message that takes so many bytes, frame and all?</summary>
        internal bool HasRoom(int count) => Messages < ends.Length && end - start + count <= maxBytes;

        /// <summary>Is there room for a command?</summary>
        internal bool HasControlRoom(int count) => end - start + count <= maxBytes + ControlBytes;

        /// <summary>Space at the end of the queue, to be filled now. Ask for room before.</summary>
        internal Span<byte> Append(int count)
        {
            if (bytes.Length - end < count)
            {
                MakeRoom(count);
            }

            end += count;
            return bytes.AsSpan(end - count, count);
        }

        /// <summary>What was appended since the last call is a message, to be counted.</summary>
        internal void EndMessage()
        {
            ends[(oldest + Messages) % ends.Length] = sent + (end - start);
            Messages++;
        }

        internal void Sent(int count)
        {
            start += count;
            sent += count;
            while (Messages > 0 && ends[oldest] <= sent)
            {
                oldest = (oldest + 1) % ends.Length;
                Messages--;
            }

            if (start == end)
            {
                start = 0;
                end = 0;
            }
        }

        private void MakeRoom(int count)
        {
            int waiting = end - start;
            var target = bytes;
            if (waiting + count > bytes.Length)
            {
                target = new byte[Math.Max(2 * bytes.Length, waiting + count)];
            }

            Buffer.BlockCopy(bytes, start, target, 0, waiting);
            bytes = target;
            start = 0;
            end = waiting;
        }
    }
}
