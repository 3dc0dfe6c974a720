#nullable enable
using System.Threading;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>
    /// The newest ultrasound frame, handed from the link's thread to the display's without a lock and without garbage, and
    /// what may be drawn of it. Fails closed: too old, of another clock, or without a place there is nothing but a reason.
    /// </summary>
    internal sealed class UltrasoundInbox
    {
        private const string Nothing = "no live ultrasound from the server";
        private const string NotWelcomed = "the server has started anew: waiting for its welcome";
        private const string Future = "a time stamp of the future: the clocks disagree";

        private UltrasoundData decoded = new UltrasoundData();
        private UltrasoundData newest = new UltrasoundData();
        private UltrasoundData shown = new UltrasoundData();
        private int hasNews;

        /// <summary>The link's: an object to decode into; Publish it, or do not and ask again.</summary>
        internal UltrasoundData Lend() => decoded;

        /// <summary>The link's: what was lent is the newest now.</summary>
        internal void Publish()
        {
            decoded = Interlocked.Exchange(ref newest, decoded);
            Volatile.Write(ref hasNews, 1);
        }

        /// <summary>The display's.</summary>
        internal void Read(long displayNs, ServerFacts facts, UltrasoundView view)
        {
            if (Interlocked.Exchange(ref hasNews, 0) == 1)
            {
                shown = Interlocked.Exchange(ref newest, shown);
            }

            view.AgeNs = 0;
            string obstacle = facts.Obstacle.Length > 0 ? facts.Obstacle
                : shown.Number == 0 ? Nothing
                : !facts.Fits(shown.Header) ? NotWelcomed
                : facts.IsFromFuture(shown.ShowsNs, displayNs) ? Future : "";
            if (obstacle.Length > 0)
            {
                view.Hide(obstacle);
                return;
            }

            view.AgeNs = facts.AgeNs(shown.ShowsNs, displayNs);
            var byAge = facts.Ages.Judge(view.AgeNs);
            if (byAge == Validity.Lost)
            {
                view.Hide(AgeWords.OfImage(view.AgeNs));
            }
            else if (!shown.HasPlace)
            {
                view.Hide(Why(shown));
            }
            else
            {
                view.Data = shown;
                view.Reason = byAge == Validity.Stale ? AgeWords.OfImage(view.AgeNs)
                    : shown.Placing != Validity.Valid ? Why(shown) : shown.Reason;
                view.Display = view.Reason.Length > 0 ? ToolDisplay.Greyed : ToolDisplay.Shown;
            }
        }

        private static string Why(UltrasoundData data)
        {
            return data.PlacingReason.Length > 0 ? data.PlacingReason : "it is not known where the image lies";
        }
    }
}
