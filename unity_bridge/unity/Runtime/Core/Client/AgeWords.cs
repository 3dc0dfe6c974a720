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
        private const string Longer = "the newest pose is more than an hour old";
        private static readonly string[] Milliseconds = Texts(1000, at => $"{at} ms");
        private static readonly string[] Tenths = Texts(
            600, at => $"{(at / 10.0).ToString("0.0", CultureInfo.InvariantCulture)} s");

        private static readonly string[] Minutes = Texts(60, at => $"{at} min");

        internal static string Of(long ageNs)
        {
            long ms = Math.Max(0, ageNs / MsNs);
            return ms < 1000 ? Milliseconds[ms]
                : ms < 60_000 ? Tenths[ms / 100]
                : ms < 3_600_000 ? Minutes[ms / 60_000] : Longer;
        }

        private static string[] Texts(int count, Func<int, string> age)
        {
            var texts = new string[count];
            for (int at = 0; at < count; at++)
            {
                texts[at] = $"the newest pose is {age(at)} old";
            }

            return texts;
        }
    }
}
