#nullable enable
using System;

namespace SurgNav.Core.Wire
{
    /// <summary>What filters made of the tools in a pose batch: one record for each filtered one.</summary>
    internal static class FilteredTable
    {
        /// <summary>Fills the batch's filtered tools; with zeros where a tool is shown as it was measured.</summary>
        /// <exception cref="MalformedMessageException">Tools that are not there or not valid, numbers that cannot be.</exception>
        internal static void Read(ReadOnlySpan<byte> payload, bool isThere, int count, PoseBatch batch)
        {
            if (batch.Filtered.Length < count)
            {
                batch.Filtered = new FilteredRecord[count];
            }

            Array.Clear(batch.Filtered, 0, count);
            if (!isThere)
            {
                return;
            }

            if (payload.Length < ToolTableHead.Size)
            {
                throw Refuse.Size("filtered table", payload.Length, ToolTableHead.Size);
            }

            var head = ToolTableHead.Read(payload);
            payload = payload.Slice(ToolTableHead.Size);
            int stride = head.RecordBytes;
            int filtered = head.RecordCount;
            if (stride < FilteredRecord.Size || filtered > count || stride * filtered > payload.Length)
            {
                throw new MalformedMessageException(
                    $"{filtered} filtered tools of {stride} bytes in {payload.Length} bytes",
                    $"at most {count} of at least {FilteredRecord.Size} bytes, within the field");
            }

            int last = -1;
            for (int index = 0; index < filtered; index++)
            {
                // A later minor version may have longer records: what is beyond ours is stepped over.
                var record = FilteredRecord.Read(payload.Slice(index * stride));
                int at = record.Index;
                if (at <= last || at >= count || batch.Records[at].Validity != Validity.Valid)
                {
                    throw new MalformedMessageException(
                        $"tool {at} filtered", "valid tools of the batch only, each once and in their order");
                }

                Check(record);
                batch.Filtered[at] = record;
                last = at;
            }
        }

        /// <summary>Written so that NaN fails.</summary>
        private static void Check(in FilteredRecord record)
        {
            const double Longest = Constants.MaxFilteringMs;
            if (!(record.DelayMs >= 0.0f && record.DelayMs <= Longest && record.AheadMs >= 0.0f && record.AheadMs <= Longest))
            {
                throw new MalformedMessageException(
                    $"a delay of {record.DelayMs} ms and a prediction by {record.AheadMs} ms", $"0 to {Longest} ms");
            }

            const double Limit = Constants.PositionLimitM;
            var position = record.RawPositionM;
            double x = record.RawRotationXyzw.X;
            double y = record.RawRotationXyzw.Y;
            double z = record.RawRotationXyzw.Z;
            double w = record.RawRotationXyzw.W;
            double excess = (x * x) + (y * y) + (z * z) + (w * w) - 1.0;
            bool near = Math.Abs(position.X) <= Limit && Math.Abs(position.Y) <= Limit && Math.Abs(position.Z) <= Limit;
            if (!(near && Math.Abs(excess) < Constants.UnitTolerance))
            {
                throw new MalformedMessageException(
                    "a measured pose that is no rotation, or too far away", $"a unit quaternion within {Limit} m");
            }
        }
    }
}
