#nullable enable
using System;

namespace SurgNav.Core.Wire
{
    /// <summary>The error of each tool in a pose batch: one covariance for each, zeros where it is not known.</summary>
    internal static class CovarianceTable
    {
        private const double LargestMm2 = Constants.MaxErrorMm * Constants.MaxErrorMm;

        /// <summary>Fills the batch's covariances; with zeros where the message has no table.</summary>
        /// <exception cref="MalformedMessageException">Not one for each tool, or some that cannot be.</exception>
        internal static void Read(ReadOnlySpan<byte> payload, bool isThere, int count, PoseBatch batch)
        {
            if (batch.Covariances.Length < count)
            {
                batch.Covariances = new CovarianceRecord[count];
            }

            if (!isThere)
            {
                Array.Clear(batch.Covariances, 0, count);
                return;
            }

            if (payload.Length < ToolTableHead.Size)
            {
                throw Refuse.Size("covariance table", payload.Length, ToolTableHead.Size);
            }

            var head = ToolTableHead.Read(payload);
            payload = payload.Slice(ToolTableHead.Size);
            int stride = head.RecordBytes;
            if (head.RecordCount != count || stride < CovarianceRecord.Size || stride * count > payload.Length)
            {
                throw new MalformedMessageException(
                    $"{head.RecordCount} covariances of {stride} bytes in {payload.Length} bytes",
                    $"{count} of at least {CovarianceRecord.Size} bytes, one for each tool, within the field");
            }

            for (int index = 0; index < count; index++)
            {
                // A later minor version may have longer records: what is beyond ours is stepped over.
                var record = CovarianceRecord.Read(payload.Slice(index * stride));
                bool hasPose = (batch.Records[index].Flags & Constants.HasPose) != 0;
                if (!IsCovariance(record, hasPose ? LargestMm2 : 0.0))
                {
                    throw new MalformedMessageException(
                        "covariances that are none", "no negative eigenvalue; zeros where unknown, or without a pose");
                }

                batch.Covariances[index] = record;
            }
        }

        /// <summary>No principal minor is negative (Sylvester's criterion), and nothing is NaN.</summary>
        private static bool IsCovariance(in CovarianceRecord record, double largest)
        {
            double xx = record.VariancesMm2.X;
            double yy = record.VariancesMm2.Y;
            double zz = record.VariancesMm2.Z;
            double yz = record.CovariancesMm2.X;
            double xz = record.CovariancesMm2.Y;
            double xy = record.CovariancesMm2.Z;
            if (!(xx >= 0.0 && xx <= largest && yy >= 0.0 && yy <= largest && zz >= 0.0 && zz <= largest))
            {
                return false;
            }

            double total = xx + yy + zz;
            double least = -Constants.CovarianceTolerance * total * total;
            if (!((yy * zz) - (yz * yz) >= least && (xx * zz) - (xz * xz) >= least && (xx * yy) - (xy * xy) >= least))
            {
                return false;
            }

            double determinant =
                (xx * yy * zz) + (2.0 * yz * xz * xy) - (xx * yz * yz) - (yy * xz * xz) - (zz * xy * xy);
            return determinant >= least * total;
        }
    }
}
