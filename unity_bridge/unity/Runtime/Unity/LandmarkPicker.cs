#nullable enable
using System;
using SurgNav.Core.Client;
using SurgNav.Core.Wire;
using UnityEngine;
using UnityEngine.Events;

namespace SurgNav.Unity
{
    /// <summary>
    /// Tells the server of landmarks: touched with a tracked tool, or picked at a point that the headset gives (a finger, a
    /// ray). The position goes in the coordinates of a frame, as that frame's Transform has it. What is not to be relied on
    /// is not sent.
    /// </summary>
    [AddComponentMenu("SurgNav/Landmark Picker")]
    [DefaultExecutionOrder(-700)]
    public sealed class LandmarkPicker : MonoBehaviour
    {
        [SerializeField]
        [Tooltip("Nothing: the one in the objects above.")]
        private SurgNavConnection? connection = null;

        [SerializeField]
        [Tooltip("Its origin is the tip.")]
        private TrackedTool? tool = null;

        [SerializeField]
        [Tooltip("reference for what is touched on the patient, ct for what is picked on the surfaces.")]
        private string frameName = "reference";

        [SerializeField]
        [Tooltip("Who does it; may be empty.")]
        private string person = "";

        [SerializeField]
        [Tooltip("What became of it, to be shown.")]
        private UnityEvent<string> answered = new UnityEvent<string>();

        private LandmarkPost? post;

        /// <summary>What became of the last landmark: sent, accepted or refused with the reason, or why it was not sent.</summary>
        public string LastAnswer => Post.LastAnswer;

        public UnityEvent<string> AnsweredEvent => answered;

        private LandmarkPost Post => post ??= new LandmarkPost(answered);

        public string Person
        {
            get => person;
            set => person = value;
        }

        /// <summary>The tool's tip is on this landmark now.</summary>
        /// <returns>False if it was not sent; LastAnswer says why.</returns>
        public bool Touch(string landmark)
        {
            if (!tool)
            {
                return Post.Say("not sent: no tool is set");
            }

            tool!.Refresh();
            return tool.Display == ToolDisplay.Shown
                ? Send(ClientEventKinds.LandmarkTouched, landmark, tool.transform.position, tool.Tool)
                : Post.Say($"not sent: {tool.Tool}: {tool.Reason}");
        }

        /// <summary>A person pointed at a place in the headset's world, such as on a surface.</summary>
        /// <returns>False if it was not sent; LastAnswer says why.</returns>
        public bool Pick(string landmark, Vector3 worldPosition)
        {
            return Send(ClientEventKinds.LandmarkPicked, landmark, worldPosition, "");
        }

        private void OnEnable()
        {
            connection = connection ? connection : GetComponentInParent<SurgNavConnection>();
            Post.Use(connection);
        }

        private void OnDisable()
        {
            Post.Use(null);
        }

        private bool Send(string kind, string landmark, Vector3 world, string toolName)
        {
            if (!connection)
            {
                return Post.Say("not sent: no SurgNavConnection in the objects above");
            }

            var frame = connection!.FindFrame(frameName);
            if (frame is null)
            {
                return Post.Say($"not sent: the frame '{frameName}' is not in the scene, or has never been tracked");
            }

            frame.Refresh();
            if (frame.Display != ToolDisplay.Shown)
            {
                return Post.Say($"not sent: {frameName}: {frame.Reason}");
            }

            var place = frame.transform.InverseTransformPoint(world);
            var happened = new ClientEvent
            {
                Kind = kind,
                Name = landmark,
                Frame = frameName,
                PositionM = new double[] { place.x, place.y, place.z },
                Person = person,
                Tool = toolName,
                RegistrationId = connection.Status.RegistrationId,
            };
            return Post.Send(happened);
        }
    }
}
