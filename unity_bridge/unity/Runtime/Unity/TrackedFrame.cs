#nullable enable
using SurgNav.Core.Client;
using SurgNav.Core.Wire;
using UnityEngine;

namespace SurgNav.Unity
{
    /// <summary>What may be shown of a frame, and why not more.</summary>
    public readonly struct Judgement
    {
        public Judgement(ToolDisplay display, Validity validity, string reason)
        {
            Display = display;
            Validity = validity;
            Reason = reason;
        }

        public ToolDisplay Display { get; }

        public Validity Validity { get; }

        /// <summary>Empty exactly if it is shown as it is.</summary>
        public string Reason { get; }

        public static Judgement Hidden(string reason) => new Judgement(ToolDisplay.Hidden, Validity.Lost, reason);
    }

    /// <summary>
    /// A GameObject that is a frame of the wire: the pose of a tool goes below the object of its `to frame`. What there is
    /// to see of it hangs from <see cref="visual"/>, another object below, which is hidden or greyed as a whole.
    /// </summary>
    public abstract class TrackedFrame : MonoBehaviour
    {
        [SerializeField]
        [Tooltip("Nothing: the one in the objects above.")]
        private SurgNavConnection? connection = null;

        [SerializeField]
        [Tooltip("An object below this one with everything that is to be seen of it: hidden or greyed as a whole.")]
        private GameObject? visual = null;

        private Tint? tint;
        private int refreshedAt = -1;

        /// <summary>Its name on the wire; empty as long as that is not known.</summary>
        public abstract string FrameName { get; }

        public ToolDisplay Display => Judgement.Display;

        public Validity Validity => Judgement.Validity;

        /// <summary>Why it is not shown as it is; empty if it is.</summary>
        public string Reason => Judgement.Reason;

        public Judgement Judgement { get; private set; } = Judgement.Hidden("not looked at yet");

        public SurgNavConnection? Connection => connection;

        /// <summary>Brings it up to date, once a frame: whoever depends on it calls this first.</summary>
        internal void Refresh()
        {
            if (refreshedAt == Time.frameCount)
            {
                return;
            }

            refreshedAt = Time.frameCount;
            var judged = Judge();
            if (judged.Display != ToolDisplay.Hidden && Placement.Trouble(transform) is string trouble)
            {
                judged = Judgement.Hidden(trouble);
            }

            Show(judged);
        }

        protected abstract Judgement Judge();

        protected virtual void OnEnable()
        {
            connection = connection ? connection : GetComponentInParent<SurgNavConnection>();
            if (connection)
            {
                connection!.Add(this);
            }

            if (visual && visual != gameObject)
            {
                tint = new Tint(visual!);
            }

            refreshedAt = -1;
        }

        protected virtual void OnDisable()
        {
            if (connection)
            {
                connection!.Remove(this);
            }

            Show(Judgement.Hidden("its component is disabled"));
        }

        protected void Update() => Refresh();

        private void Show(Judgement judged)
        {
            Judgement = judged;
            tint?.Apply(judged.Display);
        }
    }
}
