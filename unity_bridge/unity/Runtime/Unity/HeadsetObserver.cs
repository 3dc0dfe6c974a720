#nullable enable
using System;
using SurgNav.Core.Wire;
using UnityEngine;

namespace SurgNav.Unity
{
    /// <summary>
    /// Makes the headset a tracker of the server's room: sends where its objects are in the headset's own world, whenever
    /// one of them was measured anew.
    /// </summary>
    [AddComponentMenu("SurgNav/Headset Observer")]
    [DisallowMultipleComponent]
    [DefaultExecutionOrder(900)]
    public sealed class HeadsetObserver : MonoBehaviour
    {
        [SerializeField]
        [Tooltip("Nothing: the one in the objects above.")]
        private SurgNavConnection? connection = null;

        [SerializeField]
        [Tooltip("The headset's spatial anchor, which holds its world to the room. Nothing: this object.")]
        private Transform? anchor = null;

        [SerializeField]
        [Tooltip("Every tool that the headset looks for.")]
        private ObservedObject[] tools = Array.Empty<ObservedObject>();

        [SerializeField]
        [Tooltip("From the camera's exposure until the object is moved, as measured or as the headset's maker says.")]
        [Min(0)]
        private float latencyMs = 0.0f;

        /// <summary>So often at least the server hears that there is a headset, which may see nothing.</summary>
        private const long SignOfLifeNs = 500_000_000;

        private string anchorName = "";
        private long sentNs;

        /// <summary>Why nothing is sent; empty if it is.</summary>
        public string Trouble { get; private set; } = "not started";

        public SurgNavConnection? Connection => connection;

        /// <summary>Names the place of the headset's world.</summary>
        public string AnchorName => anchorName;

        public Transform Anchor => anchor ? anchor! : transform;

        /// <summary>
        /// The headset's world was placed anew: call this when its anchor was found again, moved or made anew. What was seen
        /// before is not compared with what is seen from now on.
        /// </summary>
        public void PlacedAnew()
        {
            anchorName = Guid.NewGuid().ToString();
            foreach (var tool in tools)
            {
                tool.Forget();
            }
        }

        private void OnEnable()
        {
            connection = connection ? connection : GetComponentInParent<SurgNavConnection>();
            PlacedAnew();
        }

        private void OnApplicationPause(bool paused)
        {
            if (!paused)
            {
                PlacedAnew();
            }
        }

        private void LateUpdate()
        {
            if (!connection)
            {
                Trouble = "no SurgNavConnection in the objects above";
                return;
            }

            if (Placement.Trouble(Anchor) is string trouble)
            {
                Trouble = trouble;
                return;
            }

            long nowNs = connection!.NowNs - (long)(latencyMs * 1e6);
            bool isNew = false;
            foreach (var tool in tools)
            {
                tool.Look(Anchor, nowNs);
                isNew |= tool.IsNew;
            }

            if (isNew || nowNs - sentNs >= SignOfLifeNs)
            {
                sentNs = nowNs;
                Trouble = connection.Send(anchorName, nowNs, Array.ConvertAll(tools, tool => tool.Observation(nowNs)));
            }
        }
    }
}
