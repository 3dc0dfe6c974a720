#nullable enable
using System;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>The last positions of a tip: whether it is held still, and where.</summary>
    public sealed class HeldTip
    {
        private readonly Double3[] samples;
        private long taken;

        /// <param name="count">Samples that are averaged.</param>
        public HeldTip(int count)
        {
            samples = new Double3[Math.Max(2, count)];
        }

        /// <summary>Samples in the window.</summary>
        public int Count => (int)Math.Min(taken, samples.Length);

        public bool IsFull => taken >= samples.Length;

        /// <summary>Where the tip is, in m: of a new observation, never of one that was there already.</summary>
        public void Add(Double3 positionM) => samples[taken++ % samples.Length] = positionM;

        public void Clear() => taken = 0;

        /// <summary>Mean position in m, and RMS distance of the samples from it in mm.</summary>
        public Double3 Mean(out double spreadMm)
        {
            var mean = default(Double3);
            for (int at = 0; at < Count; at++)
            {
                mean.X += samples[at].X / Count;
                mean.Y += samples[at].Y / Count;
                mean.Z += samples[at].Z / Count;
            }

            double squares = 0;
            for (int at = 0; at < Count; at++)
            {
                double x = samples[at].X - mean.X;
                double y = samples[at].Y - mean.Y;
                double z = samples[at].Z - mean.Z;
                squares += (x * x) + (y * y) + (z * z);
            }

            spreadMm = Count == 0 ? double.PositiveInfinity : 1000 * Math.Sqrt(squares / Count);
            return mean;
        }
    }
}
