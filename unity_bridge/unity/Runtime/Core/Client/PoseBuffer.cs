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
        /// <summary>A pose may be so much newer than now, beyond the clocks' bound; more is a clock gone wrong.</summary>
        private const long FutureNs = 100_000_000;

        private const string NoBatch = "no poses from the server yet";
        private const string NotWelcomed = "the server has started anew: waiting for its welcome";
        private const string Aged = "no new pose";
        private const string Future = "a time stamp of the future: the clocks disagree";

        private readonly TrackLimits limits;
        private readonly long delayNs;
        private readonly long staleNs;
        private readonly long hideNs;
        private readonly SequenceGuard guard = new SequenceGuard();
        private readonly List<ToolTrack> tracks = new List<ToolTrack>();
        private readonly Dictionary<string, ToolTrack> byName = new Dictionary<string, ToolTrack>(StringComparer.Ordinal);
        private MessageHeader header;
        private string reason = "";

        internal PoseBuffer(ClientSettings settings)
        {
            limits = new TrackLimits(settings);
            delayNs = TrackLimits.Ns(settings.DisplayDelayMs);
            staleNs = TrackLimits.Ns(settings.StaleAfterMs);
            hideNs = TrackLimits.Ns(settings.HideAfterMs);
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

            long latestNs = facts.ToServerNs(nowNs) + facts.Offset.ErrorNs + FutureNs;
            for (int index = 0; index < batch.Count; index++)
            {
                var tool = batch[index];
                Track(tool.Tool, index).Add(tool, header.Sequence, tool.CaptureNs.GetValueOrDefault() <= latestNs);
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
                View(tracks[index], facts.ToServerNs(displayNs), facts, frame, ref views[index]);
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
            frame.AgeNs = fits ? facts.ToServerNs(displayNs) - header.CaptureNs : 0;
            if (facts.Obstacle.Length > 0 || !fits)
            {
                frame.Validity = Validity.Lost;
                frame.Reason = facts.Obstacle.Length > 0 ? facts.Obstacle : guard.Sessions == 0 ? NoBatch : NotWelcomed;
                return;
            }

            frame.Validity = header.Validity;
            frame.Reason = header.Validity == Validity.Valid ? "" : reason.Length > 0 ? reason : Words(header.Validity);
            var byAge = ByAge(frame.AgeNs, facts.Offset.ErrorNs);
            if (Rank(byAge) > Rank(frame.Validity))
            {
                frame.Validity = byAge;
                frame.Reason = Aged;
            }
        }

        private void View(ToolTrack track, long serverNs, ServerFacts facts, PoseFrame frame, ref ToolView view)
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
                view.AgeNs = serverNs - track.CaptureNs;
                Demote(ref view, ByAge(view.AgeNs, facts.Offset.ErrorNs), Aged);
            }
            else if (track.IsFromFuture)
            {
                Demote(ref view, Validity.Lost, Future);
            }

            Demote(ref view, frame.Validity, frame.Reason);
            if (track.HasPose && view.Validity != Validity.Lost)
            {
                view.Source = track.At(serverNs - delayNs, limits, out var position, out var rotation);
                view.PositionM = position;
                view.RotationXyzw = rotation;
                view.Display = view.Validity == Validity.Valid ? ToolDisplay.Shown : ToolDisplay.Greyed;
            }
        }

        /// <summary>At its worst: the clocks may be off by their bound.</summary>
        private Validity ByAge(long ageNs, long errorNs)
        {
            long worstNs = ageNs + errorNs;
            return worstNs > hideNs ? Validity.Lost : worstNs > staleNs ? Validity.Stale : Validity.Valid;
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
