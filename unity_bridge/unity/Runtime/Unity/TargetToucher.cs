#nullable enable
using System;
using SurgNav.Core.Client;
using SurgNav.Core.Wire;
using UnityEngine;
using UnityEngine.Events;

namespace SurgNav.Unity
{
    /// <summary>
    /// Headset to tracker by touch: shows points in the headset's world, one at a time, and tells the server where each is
    /// when the tip of the tracked stylus is held on it. `surgnav calibrate headset` takes them.
    /// </summary>
    [AddComponentMenu("SurgNav/Target Toucher")]
    [DefaultExecutionOrder(950)]
    public sealed class TargetToucher : MonoBehaviour
    {
        /// <summary>
        /// Around the middle, in m: to the right, up, and away from the eyes. They do not lie in a plane, and no exchange of
        /// two looks the same, so that a point touched for another one is noticed.
        /// </summary>
        private static readonly Vector3[] Offsets =
        {
            new Vector3(-0.18f, -0.12f, -0.03f),
            new Vector3(0.17f, -0.15f, 0.01f),
            new Vector3(0.15f, 0.13f, -0.08f),
            new Vector3(-0.09f, 0.16f, 0.08f),
            new Vector3(0.02f, -0.02f, -0.13f),
            new Vector3(-0.20f, 0.04f, 0.13f),
        };

        [SerializeField]
        [Tooltip("Has the anchor, and the connection.")]
        private HeadsetObserver? observer = null;

        [SerializeField]
        [Tooltip("The eyes: the camera's Transform.")]
        private Transform? head = null;

        [SerializeField]
        [Tooltip("What is shown where a point is to be touched; its origin is the point.")]
        private Transform? visual = null;

        [SerializeField]
        [Tooltip("The stylus, by its name in the server's room.")]
        private string stylus = "stylus";

        [SerializeField]
        [Tooltip("From the eyes to the middle of the points: an arm's length, where the tracker sees the stylus too.")]
        [Min(0.2f)]
        private float distanceM = 0.5f;

        [SerializeField]
        [Tooltip("Who does it; may be empty.")]
        private string person = "";

        [SerializeField]
        [Tooltip("What to do, and what became of it, to be shown.")]
        private UnityEvent<string> answered = new UnityEvent<string>();

        private SurgNavConnection? listensTo;
        private Vector3[] places = Array.Empty<Vector3>();
        private string anchorName = "";
        private int at;
        private bool waits;
        private ulong lastNumber;

        /// <summary>What became of the last touch, or what to do now.</summary>
        public string LastAnswer { get; private set; } = "";

        public UnityEvent<string> AnsweredEvent => answered;

        /// <summary>Points are shown.</summary>
        public bool IsTouching => at < places.Length;

        public string Person
        {
            get => person;
            set => person = value;
        }

        /// <summary>Places the points before the eyes as they look now, and shows the first one.</summary>
        /// <returns>False if they cannot be; LastAnswer says why.</returns>
        public bool Begin()
        {
            places = Array.Empty<Vector3>();
            at = 0;
            waits = false;
            if (!observer || !observer!.Connection || !head || !visual)
            {
                return Say("not begun: set observer, head and visual");
            }

            if (Placement.Trouble(observer!.Anchor) is string trouble)
            {
                return Say($"not begun: {trouble}");
            }

            Listen(observer!.Connection!);
            anchorName = observer.AnchorName;

            // Kept below the anchor, which holds them to the room.
            var middle = head!.position + (head.forward * distanceM);
            var turn = head.rotation;
            places = Array.ConvertAll(Offsets, each => observer.Anchor.InverseTransformPoint(middle + (turn * each)));
            Show();
            return true;
        }

        /// <summary>The tip is on the point that is shown, and still: a button, a word, a pedal, not the hand that holds it.</summary>
        /// <returns>False if it was not sent; LastAnswer says why.</returns>
        public bool Touched()
        {
            if (!IsTouching)
            {
                return Say("not sent: no point is shown; begin first");
            }

            if (waits)
            {
                return Say("not sent: the answer to the last touch is on its way");
            }

            if (observer!.AnchorName != anchorName)
            {
                End();
                return Say("not sent: the headset has placed its world anew; begin again");
            }

            var happened = new ClientEvent
            {
                Kind = ClientEventKinds.TargetTouched,
                Name = (at + 1).ToString(System.Globalization.CultureInfo.InvariantCulture),
                Frame = "headset",
                PositionM = new double[] { places[at].x, places[at].y, places[at].z },
                Person = person,
                Tool = stylus,
                Anchor = anchorName,
            };
            string trouble = listensTo!.Send(happened, out lastNumber);
            waits = trouble.Length == 0;
            Say(waits ? $"point {at + 1}: sent" : $"not sent: {trouble}");
            return waits;
        }

        /// <summary>Shows no points any more.</summary>
        public void End()
        {
            places = Array.Empty<Vector3>();
            at = 0;
            waits = false;
            Show();
        }

        private void OnDisable()
        {
            End();
            if (listensTo)
            {
                listensTo!.Answered -= OnAnswered;
                listensTo = null;
            }
        }

        private void LateUpdate()
        {
            if (IsTouching && observer!.AnchorName != anchorName)
            {
                End();
                Say("the headset has placed its world anew: what was touched is void; begin again");
            }
            else if (IsTouching)
            {
                visual!.position = observer!.Anchor.TransformPoint(places[at]);
            }
        }

        private void OnAnswered(EventAnswer answer)
        {
            if (!waits || answer.Number != lastNumber)
            {
                return;
            }

            waits = false;
            if (answer.Outcome != EventOutcome.Accepted)
            {
                Say($"refused: got {answer.Came}; expected {answer.Allowed}. Fix: {answer.Action}");
                return;
            }

            at++;
            Show();
            if (!IsTouching)
            {
                Say($"{answer.Note}; all points are touched");
            }
        }

        private void Show()
        {
            if (visual)
            {
                visual!.gameObject.SetActive(IsTouching);
            }

            if (IsTouching)
            {
                visual!.position = observer!.Anchor.TransformPoint(places[at]);
                Say($"point {at + 1} of {places.Length}: hold the tip on it, and say so");
            }
        }

        private void Listen(SurgNavConnection connection)
        {
            if (listensTo != connection)
            {
                if (listensTo)
                {
                    listensTo!.Answered -= OnAnswered;
                }

                listensTo = connection;
                listensTo.Answered += OnAnswered;
            }
        }

        private bool Say(string words)
        {
            LastAnswer = words;
            answered.Invoke(words);
            return false;
        }
    }
}
