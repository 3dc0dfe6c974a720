#nullable enable
using System;
using System.Globalization;

namespace SurgNav.Core.Client
{
    /// <summary>
    /// An age as a reason: to a millisecond below a second, to a tenth up to a minute, then in minutes. The texts are made
    /// once for all, since a reason that changes with every frame would be garbage in every frame.
    /// </summary>
    internal static class AgeWords
    {
        private const long MsNs = 1_000_000;
        private static readonly Words Pose = new Words("pose");
        private static readonly Words Image = new Words("ultrasound image");
        private static readonly Words Plan = new Words("plan");

        internal static string Of(long ageNs) => Pose.Of(ageNs);

        internal static string OfImage(long ageNs) => Image.Of(ageNs);

        internal static string OfPlan(long ageNs) => Plan.Of(ageNs);

        private sealed class Words
        {
            private readonly string[] milliseconds;
            private readonly string[] tenths;
            private readonly string[] minutes;
            private readonly string longer;

            internal Words(string what)
            {
                longer = $"the newest {what} is more than an hour old";
                milliseconds = Texts(what, 1000, at => $"{at} ms");
                tenths = Texts(what, 600, at => $"{(at / 10.0).ToString("0.0", CultureInfo.InvariantCulture)} s");
                minutes = Texts(what, 60, at => $"{at} min");
            }

            internal string Of(long ageNs)
            {
                long ms = Math.Max(0, ageNs / MsNs);
                return ms < 1000 ? milliseconds[ms]
                    : ms < 60_000 ? tenths[ms / 100]
                    : ms < 3_600_000 ? minutes[ms / 60_000] : longer;
            }

            private static string[] Texts(string what, int count, Func<int, string> age)
            {
                var texts = new string[count];
                for (int at = 0; at < count; at++)
                {
                    texts[at] = $"the newest {what} is {age(at)} old";
                }

                return texts;
            }
        }
    }
}
