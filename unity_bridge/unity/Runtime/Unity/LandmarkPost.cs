#nullable enable
using SurgNav.Core.Client;
using SurgNav.Core.Wire;
using UnityEngine.Events;

namespace SurgNav.Unity
{
    /// <summary>Sends landmarks to the server, and says what became of each.</summary>
    internal sealed class LandmarkPost
    {
        private readonly UnityEvent<string> answered;
        private SurgNavConnection? connection;
        private ulong lastNumber;

        public LandmarkPost(UnityEvent<string> answered)
        {
            this.answered = answered;
        }

        /// <summary>Sent, accepted or refused with the reason, or why it was not sent.</summary>
        public string LastAnswer { get; private set; } = "";

        /// <summary>From now on landmarks go over this connection; over none, if it is null.</summary>
        public void Use(SurgNavConnection? next)
        {
            if (connection)
            {
                connection!.Answered -= OnAnswered;
            }

            connection = next;
            if (connection)
            {
                connection!.Answered += OnAnswered;
            }
        }

        /// <returns>False if it was not sent; LastAnswer says why.</returns>
        public bool Send(ClientEvent happened)
        {
            if (!connection)
            {
                return Say("not sent: no SurgNavConnection in the objects above");
            }

            string trouble = connection!.Send(happened, out lastNumber);
            Say(trouble.Length == 0 ? $"{happened.Name}: sent" : $"not sent: {trouble}");
            return trouble.Length == 0;
        }

        /// <returns>False, for who has nothing else to say.</returns>
        public bool Say(string words)
        {
            LastAnswer = words;
            answered.Invoke(words);
            return false;
        }

        private void OnAnswered(EventAnswer answer)
        {
            if (answer.Number == lastNumber)
            {
                string refusal = $"refused: got {answer.Came}; expected {answer.Allowed}. Fix: {answer.Action}";
                Say(answer.Outcome == EventOutcome.Accepted ? $"accepted {answer.Note}".TrimEnd() : refusal);
            }
        }
    }
}
