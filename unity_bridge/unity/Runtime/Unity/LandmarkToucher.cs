#nullable enable
using SurgNav.Core.Client;
using SurgNav.Core.Wire;
using UnityEngine;
using UnityEngine.Events;

namespace SurgNav.Unity
{
    /// <summary>
    /// Touches landmarks with a stylus that the headset tracks itself: waits until the tip is held still, and sends its mean
    /// position, which `surgnav register` takes as the touch.
    /// </summary>
    [AddComponentMenu("SurgNav/Landmark Toucher")]
    [DefaultExecutionOrder(950)]
    public sealed class LandmarkToucher : MonoBehaviour
    {
        [SerializeField]
        [Tooltip("Sends what the headset sees.")]
        private HeadsetObserver? observer = null;

        [SerializeField]
        [Tooltip("The stylus, one of the observer's tools.")]
        private ObservedObject? stylus = null;

        [SerializeField]
        [Tooltip("An object below the stylus, at its calibrated tip.")]
        private Transform? tip = null;

        [SerializeField]
        [Tooltip("The marker on the patient, one of the observer's tools: positions are in its frame.")]
        private ObservedObject? reference = null;

        [SerializeField]
        [Tooltip("Observations that are averaged: 0.6 s of them, as the server wants it.")]
        [Min(2)]
        private int samples = 36;

        [SerializeField]
        [Tooltip("RMS distance from their mean below which the tip is still.")]
        [Min(0)]
        private float stillMm = 0.6f;

        [SerializeField]
        [Tooltip("The touch is given up after this time.")]
        [Min(1)]
        private float patienceS = 30.0f;

        [SerializeField]
        [Tooltip("Who does it; may be empty.")]
        private string person = "";

        [SerializeField]
        [Tooltip("What became of it, to be shown.")]
        private UnityEvent<string> answered = new UnityEvent<string>();

        private HeldTip held = new HeldTip(2);
        private LandmarkPost? post;
        private string landmark = "";
        private float givenUpAt;

        /// <summary>What became of the last touch: sent, accepted or refused with the reason, or why it was not sent.</summary>
        public string LastAnswer => Post.LastAnswer;

        public UnityEvent<string> AnsweredEvent => answered;

        /// <summary>A landmark is being touched.</summary>
        public bool IsTouching => landmark.Length > 0;

        private LandmarkPost Post => post ??= new LandmarkPost(answered);

        public string Person
        {
            get => person;
            set => person = value;
        }

        /// <summary>The tip is put on this landmark: it is measured as soon as it is held still.</summary>
        /// <returns>False if it cannot be; LastAnswer says why.</returns>
        public bool Touch(string name)
        {
            landmark = "";
            if (!observer || !observer!.Connection || !stylus || !tip || !reference)
            {
                return Post.Say("not measured: set observer, stylus, tip and reference");
            }

            Post.Use(observer!.Connection);
            held = new HeldTip(samples);
            givenUpAt = Time.unscaledTime + patienceS;
            landmark = name;
            Post.Say($"{name}: hold the tip still");
            return true;
        }

        private void OnDisable()
        {
            landmark = "";
            Post.Use(null);
        }

        private void LateUpdate()
        {
            if (!IsTouching)
            {
                return;
            }

            if (Time.unscaledTime > givenUpAt)
            {
                Post.Say($"{landmark}: not measured: the tip was not seen still for long enough. Hold it still, and touch again");
                landmark = "";
                return;
            }

            // An image in which one is missing is no motion: it is only left out.
            if (!stylus!.IsNew || !stylus.IsSeen || !reference!.IsSeen || Placement.Trouble(reference.transform) != null)
            {
                return;
            }

            held.Add(Placement.ToDouble3(reference.transform.InverseTransformPoint(tip!.position)));
            var mean = held.Mean(out double spreadMm);
            if (held.IsFull && spreadMm < stillMm)
            {
                Send(mean, spreadMm);
            }
        }

        private void Send(Double3 mean, double spreadMm)
        {
            var happened = new ClientEvent
            {
                Kind = ClientEventKinds.LandmarkTouched,
                Name = landmark,
                Frame = "reference",
                PositionM = new[] { mean.X, mean.Y, mean.Z },
                Person = person,
                Tool = stylus!.Tool,
                SpreadMm = spreadMm,
                Samples = (uint)held.Count,
            };
            Post.Send(happened);
            landmark = "";
        }
    }
}
