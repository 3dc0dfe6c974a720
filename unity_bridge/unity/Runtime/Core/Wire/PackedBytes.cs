#nullable enable
using System;
using System.IO;
using System.IO.Compression;

namespace SurgNav.Core.Wire
{
    /// <summary>What a raw deflate stream unpacks to: exactly as much as was said, or a refusal. Used again and again.</summary>
    internal sealed class PackedBytes
    {
        /// <summary>Grows only as bytes really come: a header that lies costs nothing.</summary>
        private const int FirstBytes = 16_384;

        private readonly Source source = new Source();
        private byte[] buffer = Array.Empty<byte>();
        private int count;

        internal ReadOnlySpan<byte> Bytes => buffer.AsSpan(0, count);

        /// <exception cref="MalformedMessageException">No stream, one of another size, or bytes after its end.</exception>
        internal void Inflate(ReadOnlyMemory<byte> stream, int size)
        {
            source.Open(stream);
            count = 0;
            try
            {
                using var inflate = new DeflateStream(source, CompressionMode.Decompress, true);
                while (count < size)
                {
                    MakeRoom(size);
                    int came = inflate.Read(buffer, count, Math.Min(buffer.Length, size) - count);
                    if (came <= 0)
                    {
                        throw Refused(size);
                    }

                    count += came;
                }

                if (inflate.ReadByte() >= 0 || !source.IsUsedUp)
                {
                    throw Refused(size);
                }
            }
            catch (Exception error) when (error is InvalidDataException || error is IOException)
            {
                throw source.WasOverrun
                    ? Refused(size)
                    : new MalformedMessageException("no deflate stream", "deflate without a zlib header (RFC 1951)");
            }
            finally
            {
                source.Open(ReadOnlyMemory<byte>.Empty);
            }
        }

        private static WireException Refused(int size)
        {
            return new MalformedMessageException(
                "a deflate stream of another size", $"one that unpacks to {size} bytes and ends with the data");
        }

        private void MakeRoom(int size)
        {
            if (count == buffer.Length)
            {
                Array.Resize(ref buffer, Math.Min(size, Math.Max(FirstBytes, 2 * count)));
            }
        }

        /// <summary>
        /// Hands out the compressed bytes, and tells whether the stream ended with the last of them: that one comes
        /// alone, so that a stream which ends before it never asks for it, and one without an end asks for more. Mono
        /// asks once before it looks at the bits that it has left: it gets a byte, which a stream that ended leaves
        /// untouched, and one that did not takes and asks again.
        /// </summary>
        private sealed class Source : Stream
        {
            private ReadOnlyMemory<byte> data;
            private int at;
            private int asked;

            public override bool CanRead => true;

            public override bool CanSeek => false;

            public override bool CanWrite => false;

            public override long Length => throw new NotSupportedException();

            public override long Position
            {
                get => throw new NotSupportedException();
                set => throw new NotSupportedException();
            }

            /// <summary>The last byte was read, and what came after it was not wanted.</summary>
            internal bool IsUsedUp => at == data.Length && asked <= 1;

            /// <summary>More was asked for than there is.</summary>
            internal bool WasOverrun => asked > 0;

            public override int Read(byte[] target, int offset, int length)
            {
                int left = data.Length - at;
                if (left == 0 && length > 0)
                {
                    target[offset] = byte.MaxValue;
                    return ++asked == 1 ? 1 : 0;
                }

                int given = Math.Min(length, left > 1 ? left - 1 : left);
                data.Span.Slice(at, given).CopyTo(target.AsSpan(offset));
                at += given;
                return given;
            }

            public override void Flush()
            {
            }

            public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

            public override void SetLength(long value) => throw new NotSupportedException();

            public override void Write(byte[] source, int offset, int length) => throw new NotSupportedException();

            internal void Open(ReadOnlyMemory<byte> bytes)
            {
                data = bytes;
                at = 0;
                asked = 0;
            }
        }
    }
}
