#nullable enable
using System;

namespace SurgNav.Core.Wire
{
    /// <summary>
    /// Decodes pose batches of one server, one after the other. Once the tools are known it makes no garbage.
    /// </summary>
    public sealed class PoseBatchDecoder
    {
        private readonly StringTable table = new StringTable();
        private readonly ulong[] toolsSeen = new ulong[(Constants.MaxStrings + 63) / 64];
        private byte[] reasonBytes = Array.Empty<byte>();
        private string reason = "";

        /// <summary>
        /// Checks the whole message, then fills <paramref name="batch"/>; after an exception the batch is empty.
        /// </summary>
        /// <exception cref="WireException">
        /// Not a well-formed pose batch. A lost tool with a pose, or a valid one without, counts as such.
        /// </exception>
        public void Decode(ReadOnlySpan<byte> message, PoseBatch batch)
        {
            batch.Count = 0;
            batch.Header = default;
            batch.Reason = "";
            var header = Envelope.Read(message, out ReadOnlySpan<byte> body);
            CheckHeader(header);
            Fields(body, out var strings, out var tools, out var words, out var errors, out var filtered, out ulong seen);
            table.Decode(strings);
            int count = Records(tools, batch);
            CovarianceTable.Read(errors, (seen & 0x8) != 0, count, batch);
            FilteredTable.Read(filtered, (seen & 0x10) != 0, count, batch);
            batch.Reason = Reason(words);
            batch.Strings = table.Strings;
            batch.Header = header;
            batch.Count = count;
        }

        private static void CheckHeader(in MessageHeader header)
        {
            if (header.MessageType != (ushort)MessageType.PoseBatch)
            {
                throw new MalformedMessageException($"message type {header.MessageType}", "1, a pose batch");
            }

            if ((header.Flags & Constants.FlagUnityConvention) == 0)
            {
                throw new MalformedMessageException("poses that are not in Unity's convention", "flag 0x0001 set");
            }

            if (header.Validity == Validity.Unset)
            {
                throw new MalformedMessageException("a pose batch without validity", "a validity");
            }
        }

        private static void Fields(
            ReadOnlySpan<byte> body,
            out ReadOnlySpan<byte> strings,
            out ReadOnlySpan<byte> tools,
            out ReadOnlySpan<byte> words,
            out ReadOnlySpan<byte> errors,
            out ReadOnlySpan<byte> filtered,
            out ulong seen)
        {
            strings = tools = words = errors = filtered = default;
            seen = 0;
            int at = 0;
            int length = 0;
            while (FieldReader.Next(body, ref at, ref length, out ushort tag))
            {
                switch (tag)
                {
                    case PoseBatchTags.Strings:
                        FieldReader.Once(ref seen, 0, "strings");
                        strings = body.Slice(at, length);
                        break;
                    case PoseBatchTags.Tools:
                        FieldReader.Once(ref seen, 1, "tools");
                        tools = body.Slice(at, length);
                        break;
                    case PoseBatchTags.Reason:
                        FieldReader.Once(ref seen, 2, "reason");
                        words = body.Slice(at, length);
                        break;
                    case PoseBatchTags.Covariances:
                        FieldReader.Once(ref seen, 3, "covariances");
                        if ((seen & 0x2) == 0)
                        {
                            throw new MalformedMessageException(
                                "a covariance table before the tool table", "the tool table first");
                        }

                        if ((seen & 0x10) != 0)
                        {
                            throw FilteredFirst();
                        }

                        errors = body.Slice(at, length);
                        break;
                    case PoseBatchTags.Filtered:
                        FieldReader.Once(ref seen, 4, "filtered");
                        if ((seen & 0x2) == 0)
                        {
                            throw FilteredFirst();
                        }

                        filtered = body.Slice(at, length);
                        break;
                }
            }

            FieldReader.Require(seen, 0x3, "PoseBatch", "strings, tools");
        }

        private static MalformedMessageException FilteredFirst()
        {
            return new MalformedMessageException(
                "a filtered table before the tools or their covariances", "these tables first");
        }

        private int Records(ReadOnlySpan<byte> payload, PoseBatch batch)
        {
            if (payload.Length < ToolTableHead.Size)
            {
                throw Refuse.Size("tool table", payload.Length, ToolTableHead.Size);
            }

            var head = ToolTableHead.Read(payload);
            payload = payload.Slice(ToolTableHead.Size);
            int stride = head.RecordBytes;
            int count = head.RecordCount;
            if (stride < ToolRecord.Size || count > Constants.MaxTools || stride * count > payload.Length)
            {
                throw new MalformedMessageException(
                    $"{count} tools of {stride} bytes in {payload.Length} bytes",
                    $"at most {Constants.MaxTools} of at least {ToolRecord.Size} bytes, within the field");
            }

            if (batch.Records.Length < count)
            {
                batch.Records = new ToolRecord[count];
            }

            Array.Clear(toolsSeen, 0, toolsSeen.Length);
            for (int index = 0; index < count; index++)
            {
                // A later minor version may have longer records: what is beyond ours is stepped over.
                var record = ToolRecord.Read(payload.Slice(index * stride));
                CheckStrings(record);
                CheckNumbers(record);
                batch.Records[index] = record;
            }

            return count;
        }

        private void CheckStrings(in ToolRecord record)
        {
            int largest = Math.Max(Math.Max(record.Tool, record.ToFrame), Math.Max(record.FromFrame, record.Reason));
            if (Math.Max(largest, record.Registration) >= table.Strings.Length)
            {
                throw new MalformedMessageException("a string index out of range", $"below {table.Strings.Length}");
            }

            table.CheckFrame(record.ToFrame);
            table.CheckFrame(record.FromFrame);
            ulong bit = 1UL << (record.Tool & 63);
            if ((toolsSeen[record.Tool >> 6] & bit) != 0)
            {
                throw new MalformedMessageException("a tool twice", "each tool once");
            }

            toolsSeen[record.Tool >> 6] |= bit;
        }

        /// <summary>Refuses what a sender that keeps the protocol cannot have meant. Written so that NaN fails.</summary>
        private static void CheckNumbers(in ToolRecord record)
        {
            var validity = ValidityCodes.Decode((byte)record.Validity);
            bool hasPose = (record.Flags & Constants.HasPose) != 0;
            if ((validity == Validity.Lost && hasPose) || (validity == Validity.Valid && !hasPose))
            {
                throw new MalformedMessageException(
                    "a lost tool with a pose, or a valid one without", "a pose if valid, none if lost");
            }

            // Zeros where there is no pose; a rotation, and near, where there is one.
            double limit = hasPose ? Constants.PositionLimitM : 0.0;
            var position = record.PositionM;
            var rotation = record.RotationXyzw;
            double x = rotation.X;
            double y = rotation.Y;
            double z = rotation.Z;
            double w = rotation.W;
            double excess = (x * x) + (y * y) + (z * z) + (w * w) - (hasPose ? 1.0 : 0.0);
            bool near = Math.Abs(position.X) <= limit && Math.Abs(position.Y) <= limit && Math.Abs(position.Z) <= limit;
            if (!(near && Math.Abs(excess) < Constants.UnitTolerance))
            {
                throw new MalformedMessageException(
                    "a pose that is no rotation, or too far away, or there where none is",
                    $"a unit quaternion within {Constants.PositionLimitM} m; zeros where there is no pose");
            }

            if (!(record.ExpectedErrorMm >= 0.0f && record.ExpectedErrorMm <= Constants.MaxErrorMm))
            {
                throw new MalformedMessageException(
                    $"an expected error of {record.ExpectedErrorMm} mm", $"0 to {Constants.MaxErrorMm} mm");
            }
        }

        private string Reason(ReadOnlySpan<byte> words)
        {
            if (!words.SequenceEqual(reasonBytes))
            {
                reason = WireBytes.Text(words, Constants.TextLimitBytes);
                reasonBytes = words.ToArray();
            }

            return reason;
        }
    }
}
