#nullable enable
using System.Threading;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>
    /// Hands decoded batches from the pose thread to the display's, without a lock and without garbage. If the display
    /// stalls and the ring is full, the newest batch waits beside it, so that a stall is over with the first frame.
    /// </summary>
    internal sealed class BatchRing
    {
        private readonly PoseBatch[] slots;
        private PoseBatch spare = new PoseBatch();
        private PoseBatch newest = new PoseBatch();
        private PoseBatch taken = new PoseBatch();
        private PoseBatch? lent;
        private long written;
        private long read;

        internal BatchRing(int size = 256)
        {
            slots = new PoseBatch[size];
            for (int index = 0; index < size; index++)
            {
                slots[index] = new PoseBatch();
            }
        }

        /// <summary>The producer's: an object to decode into; Publish it, or do not and ask again.</summary>
        internal PoseBatch Lend()
        {
            bool isFull = written - Volatile.Read(ref read) >= slots.Length;
            return lent = isFull ? spare : slots[written % slots.Length];
        }

        /// <summary>The producer's: what was lent goes to the consumer.</summary>
        internal void Publish()
        {
            if (ReferenceEquals(lent, spare))
            {
                spare = Interlocked.Exchange(ref newest, spare);
            }
            else
            {
                Volatile.Write(ref written, written + 1);
            }
        }

        /// <summary>The consumer's: the oldest batch, or null. It stays valid until Release.</summary>
        internal PoseBatch? Peek()
        {
            return read < Volatile.Read(ref written) ? slots[read % slots.Length] : null;
        }

        /// <summary>The consumer's: done with what Peek gave.</summary>
        internal void Release() => Volatile.Write(ref read, read + 1);

        /// <summary>
        /// The consumer's, once Peek gives nothing more: what came while the ring was full, or null. Valid until the next
        /// call. It may be older than what the ring held.
        /// </summary>
        internal PoseBatch? TakeNewest()
        {
            taken.Count = 0;
            taken.Header = default;
            taken = Interlocked.Exchange(ref newest, taken);
            return taken.Header.BodyBytes > 0 ? taken : null;
        }
    }
}
