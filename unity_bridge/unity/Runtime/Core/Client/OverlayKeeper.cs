#nullable enable
using System;
using System.Globalization;
using System.Threading;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>
    /// Keeps the server's newest word on where the tracker is in the headset's world, and judges it whenever something is
    /// drawn. The control thread takes it in; any thread may ask.
    /// </summary>
    internal sealed class OverlayKeeper
    {
        /// <summary>A headset sends that it is there twice a second at least, and each time is answered.</summary>
        internal const long SilenceNs = 2_000_000_000;

        // As of a pose's quaternion: docs/unity_bridge/protocol.md, section 4.
        private const double UnitTolerance = 1e-4;

        private Received? newest;

        /// <exception cref="WireException">It says that it is valid, and holds no pose; then nothing is shown.</exception>
        internal void Take(HeadsetAlignment answer, long receivedNs)
        {
            Forget();
            if (answer.Validity == Validity.Valid && !HasPose(answer))
            {
                throw new MalformedMessageException("an alignment that is valid without a pose", "a position and a unit quaternion");
            }

            Volatile.Write(ref newest, new Received(answer, receivedNs));
        }

        /// <summary>The server has started anew.</summary>
        internal void Forget() => Volatile.Write(ref newest, null);

        internal Overlay At(string anchor, long nowNs)
        {
            var received = Volatile.Read(ref newest);
            if (received is null)
            {
                return new Overlay("the server has not said where the tracker is in this headset's world", "");
            }

            var answer = received.Answer;
            long silentNs = nowNs - received.AtNs;
            if (silentNs > SilenceNs)
            {
                string seconds = (silentNs / 1e9).ToString("F1", CultureInfo.InvariantCulture);
                return new Overlay($"the server has said nothing of this headset's calibration for {seconds} s", "");
            }

            if (answer.Validity != Validity.Valid)
            {
                return new Overlay(answer.Reason.Length > 0 ? answer.Reason : "not calibrated", answer.Calibrated);
            }

            if (answer.Anchor != anchor)
            {
                return new Overlay("this headset has placed its world anew. Fix: calibrate it", answer.Calibrated);
            }

            var at = answer.PositionM!;
            var turn = answer.RotationXyzw!;
            return new Overlay(
                new Float3 { X = (float)at[0], Y = (float)at[1], Z = (float)at[2] },
                new Float4 { X = (float)turn[0], Y = (float)turn[1], Z = (float)turn[2], W = (float)turn[3] },
                answer.ExpectedP95Mm,
                answer.Calibrated);
        }

        private static bool HasPose(HeadsetAlignment answer)
        {
            if (answer.PositionM is null || !(answer.RotationXyzw is double[] turn))
            {
                return false;
            }

            double squares = (turn[0] * turn[0]) + (turn[1] * turn[1]) + (turn[2] * turn[2]) + (turn[3] * turn[3]);
            return Math.Abs(squares - 1) < UnitTolerance;
        }

        private sealed class Received
        {
            internal Received(HeadsetAlignment answer, long atNs)
            {
                Answer = answer;
                AtNs = atNs;
            }

            internal HeadsetAlignment Answer { get; }

            internal long AtNs { get; }
        }
    }
}
