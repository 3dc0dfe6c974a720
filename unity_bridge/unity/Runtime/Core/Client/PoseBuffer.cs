#nullable enable
using System;
using System.Collections.Generic;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>
    /// Poses between the server's batches and the display's frames: interpolated, predicted for a short while, then
    /// frozen, stale (greyed) and hidden. Belongs to the display's thread. Fails closed: whatever is not known to be
    /// right is hidden, with the reason.
    /// </summary>
    internal sealed class PoseBuffer
    {
        private const string NoBatch = "no poses from the server yet";
        private const string NotWelcomed = "the server has started anew: waiting for its welcome";
        private const string Future = "a time stamp of the future: the clocks disagree";

        private readonly TrackLimits limits;
        private readonly long delayNs;
        private readonly SequenceGuard guard = new SequenceGuard();
        private readonly List<ToolTrack> tracks = new List<ToolTrack>();
        private readonly Dictionary<string, ToolTrack> byName = new Dictionary<string, ToolTrack>(StringComparer.Ordinal);
        private MessageHeader header;
        private string reason = "";

        internal PoseBuffer(ClientSettings settings)
        {
            limits = new TrackLimits(settings);
            delayNs = TrackLimits.Ns(settings.DisplayDelayMs);
            AgeWords.Of(0); // makes all texts now, rather than in the first frame that is late
        }

        /// <summary>Takes in a batch, unless it is older than what is here or its times cannot be compared with ours.</summary>
        internal bool Add(PoseBatch batch, ServerFacts facts, long nowNs)
        {
            if (!guard.TryAdvance(batch.Header, out _, out bool isNewSession))
            {
                return false;
            }

            header = batch.Header;
            reason = batch.Reason;
            if (isNewSession)
            {
                Forget();
            }

            if (!facts.Fits(header))
            {
                Forget();
                return false;
            }

            for (int index = 0; index < batch.Count; index++)
            {
                var tool = batch[index];
                Track(tool.Tool, index).Add(tool, header.Sequence, !facts.IsFromFuture(tool.CaptureNs.GetValueOrDefault(), nowNs));
            }

            DropUnseen();
            return true;
        }

        /// <summary>Fills a frame for a moment on the client's clock.</summary>
        internal void Read(long displayNs, ServerFacts facts, PoseFrame frame)
        {
            Whole(displayNs, facts, frame);
            var views = frame.Reserve(tracks.Count);
            for (int index = 0; index < tracks.Count; index++)
            {
                View(tracks[index], displayNs, facts, frame, ref views[index]);
            }

            frame.Count = tracks.Count;
        }

        private static int Rank(Validity validity)
        {
            switch (validity)
            {
                case Validity.Valid:
                    return 0;
                case Validity.Suspect:
                    return 1;
                case Validity.Stale:
                    return 2;
                default:
                    return 3;
            }
        }

        private static string Words(Validity validity)
        {
            switch (validity)
            {
                case Validity.Suspect:
                    return "suspect, as the server says";
                case Validity.Stale:
                    return "stale, as the server says";
                default:
                    return "lost, as the server says";
            }
        }

        private static void Demote(ref ToolView view, Validity validity, string words)
        {
            if (Rank(validity) > Rank(view.Validity))
            {
                view.Validity = validity;
                view.Reason = words;
            }
        }

        /// <summary>What holds for all tools.</summary>
        private void Whole(long displayNs, ServerFacts facts, PoseFrame frame)
        {
            bool fits = guard.Sessions > 0 && facts.Fits(header);
            frame.Sequence = guard.Last;
            frame.SessionId = guard.SessionId;
            frame.CaptureNs = header.CaptureNs;
            frame.AgeNs = fits ? facts.AgeNs(header.CaptureNs, displayNs) : 0;
            if (facts.Obstacle.Length > 0 || !fits)
            {
                frame.Validity = Validity.Lost;
                frame.Reason = facts.Obstacle.Length > 0 ? facts.Obstacle : guard.Sessions == 0 ? NoBatch : NotWelcomed;
                return;
            }

            frame.Validity = header.Validity;
            frame.Reason = header.Validity == Validity.Valid ? "" : reason.Length > 0 ? reason : Words(header.Validity);
            var byAge = ByAge(header.CaptureNs, frame.AgeNs, displayNs, facts, out string words);
            if (Rank(byAge) > Rank(frame.Validity))
            {
                frame.Validity = byAge;
                frame.Reason = words;
            }
        }

        private void View(ToolTrack track, long displayNs, ServerFacts facts, PoseFrame frame, ref ToolView view)
        {
            view = default;
            view.Tool = track.Tool;
            view.ToFrame = track.ToFrame;
            view.FromFrame = track.FromFrame;
            view.RegistrationId = track.RegistrationId;
            view.ExpectedErrorMm = track.ErrorMm;
            view.HasExpectedError = track.HasError;
            view.Validity = track.Validity;
            view.Reason = track.Validity == Validity.Valid ? ""
                : track.Reason.Length > 0 ? track.Reason : Words(track.Validity);
            if (track.HasPose && facts.HasClock)
            {
                // What is shown late on purpose is that old, however new the newest pose.
                view.AgeNs = Math.Max(facts.AgeNs(track.CaptureNs, displayNs), delayNs + facts.ErrorNsAt(displayNs));
                Demote(ref view, ByAge(track.CaptureNs, view.AgeNs, displayNs, facts, out string words), words);
            }
            else if (track.IsFromFuture)
            {
                Demote(ref view, Validity.Lost, Future);
            }

            Demote(ref view, frame.Validity, frame.Reason);
            if (track.HasPose && view.Validity != Validity.Lost)
            {
                view.Source = track.At(facts.ToServerNs(displayNs) - delayNs, limits, out var position, out var rotation);
                view.PositionM = position;
                view.RotationXyzw = rotation;
                view.Display = view.Validity == Validity.Valid ? ToolDisplay.Shown : ToolDisplay.Greyed;
                view.FilterDelayMs = track.DelayMs;
                if (view.Validity == Validity.Valid)
                {
                    view.Covariance = track.Covariance;
                }
            }
        }

        /// <summary>What our own clock says, whatever the message does; judged anew in every frame that is drawn.</summary>
        private Validity ByAge(long captureNs, long ageNs, long displayNs, ServerFacts facts, out string words)
        {
            if (facts.IsFromFuture(captureNs, displayNs))
            {
                words = Future;
                return Validity.Lost;
            }

            var validity = facts.Ages.Judge(ageNs);
            words = validity == Validity.Valid ? "" : AgeWords.Of(ageNs);
            return validity;
        }

        /// <summary>The batches hold the same tools in the same order, nearly always.</summary>
        private ToolTrack Track(string tool, int index)
        {
            if (index < tracks.Count && string.Equals(tracks[index].Tool, tool, StringComparison.Ordinal))
            {
                return tracks[index];
            }

            if (!byName.TryGetValue(tool, out var track))
            {
                track = new ToolTrack(tool);
                byName.Add(tool, track);
                tracks.Add(track);
            }

            return track;
        }

        /// <summary>What the newest batch does not hold is not tracked any more.</summary>
        private void DropUnseen()
        {
            for (int index = tracks.Count - 1; index >= 0; index--)
            {
                if (tracks[index].SeenIn != header.Sequence)
                {
                    byName.Remove(tracks[index].Tool);
                    tracks.RemoveAt(index);
                }
            }
        }

        private void Forget()
        {
            tracks.Clear();
            byName.Clear();
        }
    }
}
