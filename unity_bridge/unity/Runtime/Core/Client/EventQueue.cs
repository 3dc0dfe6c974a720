#nullable enable
using System.Collections.Generic;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>The kinds of event that a person causes at the client; docs/unity_bridge/protocol.md, section 7.</summary>
    public static class ClientEventKinds
    {
        public const string LandmarkTouched = "landmark_touched";
        public const string LandmarkPicked = "landmark_picked";
        public const string VerifyTouch = "verify_touch";
        public const string DecideSurface = "decide_surface";
        public const string RequestRegistration = "request_registration";
        public const string SelectTarget = "select_target";

        /// <summary>A point that this headset shows was touched with the tracked stylus, to calibrate the headset.</summary>
        public const string TargetTouched = "target_touched";
    }

    /// <summary>The kinds of event that the server tells; docs/unity_bridge/protocol.md, section 7.</summary>
    public static class ServerEventKinds
    {
        public const string RegistrationChanged = "registration_changed";
        public const string RegistrationLost = "registration_lost";
        public const string RegistrationFound = "registration_found";
        public const string RegistrationWithdrawn = "registration_withdrawn";
        public const string SurfaceApproved = "surface_approved";

        /// <summary>That nobody has decided on: in a research session only.</summary>
        public const string SurfaceOffered = "surface_offered";
        public const string SurfaceWithdrawn = "surface_withdrawn";
        public const string ToolLost = "tool_lost";
        public const string ToolFound = "tool_found";
        public const string TargetSelected = "target_selected";
        public const string RequestSettled = "request_settled";
        public const string Notice = "notice";

        /// <summary>Whether the Welcome would be another now.</summary>
        internal static bool ChangesState(string kind)
        {
            switch (kind)
            {
                case RegistrationChanged:
                case RegistrationLost:
                case RegistrationFound:
                case RegistrationWithdrawn:
                case TargetSelected:
                case RequestSettled:
                    return true;
                default:
                    return false;
            }
        }
    }

    /// <summary>
    /// Events in both directions, each once and in order: what is sent is sent again until the server has answered for
    /// good, over broken links and restarts of the server.
    /// </summary>
    public sealed class EventQueue
    {
        /// <summary>Events without a final answer that the server keeps for a client.</summary>
        public const int MaxUnanswered = 16;

        /// <summary>Beyond it the oldest that nobody takes is dropped and counted.</summary>
        private const int MaxKept = 256;

        private readonly object gate = new object();
        private readonly IClock clock;
        private readonly EventOutbox outbox = new EventOutbox();
        private readonly EventInbox inbox = new EventInbox();
        private readonly Queue<EventAnswer> answers = new Queue<EventAnswer>();
        private readonly Queue<ServerEvent> happenings = new Queue<ServerEvent>();

        internal EventQueue(IClock clock)
        {
            this.clock = clock;
        }

        /// <summary>Answers and events that nobody took in time.</summary>
        public long Dropped { get; private set; }

        /// <summary>Events that wait for their final answer.</summary>
        public int Unanswered
        {
            get
            {
                lock (gate)
                {
                    return outbox.Count;
                }
            }
        }

        /// <summary>
        /// Sends what a person did: set the kind and what the kind needs; stream, number, session and time are filled in.
        /// Do not change it afterwards.
        /// </summary>
        /// <param name="happened">What happened.</param>
        /// <param name="number">Its answer has the same.</param>
        /// <returns>False if too many events wait for their answer: tell the person that it was not sent.</returns>
        public bool TrySend(ClientEvent happened, out ulong number)
        {
            lock (gate)
            {
                bool hasRoom = outbox.Count < MaxUnanswered;
                number = hasRoom ? outbox.Add(happened, clock.NowNs) : 0;
                return hasRoom;
            }
        }

        /// <summary>What became of an event: 'accepted' or 'refused'. Each event gets one, in the order they come.</summary>
        public bool TryTakeAnswer(out EventAnswer answer)
        {
            lock (gate)
            {
                return answers.TryDequeue(out answer!);
            }
        }

        /// <summary>What changed at the server, in order, each once.</summary>
        public bool TryTakeServerEvent(out ServerEvent happened)
        {
            lock (gate)
            {
                return happenings.TryDequeue(out happened!);
            }
        }

        internal string Stream => outbox.Stream;

        internal ulong LastServerEvent
        {
            get
            {
                lock (gate)
                {
                    return inbox.Last;
                }
            }
        }

        /// <summary>A Welcome has come: a new session starts from the events that its state holds.</summary>
        internal void Join(SessionId session, ulong lastEvent)
        {
            lock (gate)
            {
                inbox.Join(session, lastEvent);
                outbox.Resend();
            }
        }

        internal bool TryNextDue(SessionId session, ServerFacts facts, out ClientEvent due)
        {
            lock (gate)
            {
                return outbox.TryNextDue(clock.NowNs, session, facts, out due);
            }
        }

        /// <summary>False if there is no connection, or no room: it stays due.</summary>
        internal bool TrySend(ClientEvent due, MessageSender sender)
        {
            try
            {
                return sender.TrySend(due);
            }
            catch (WireException error)
            {
                // It can never be sent: the person hears so, as of any refusal.
                Take(new EventAnswer
                {
                    Stream = due.Stream,
                    Number = due.Number,
                    Outcome = EventOutcome.Refused,
                    Code = "MalformedMessage",
                    Came = error.Came,
                    Allowed = error.Allowed,
                    Action = error.Action,
                });
                return true;
            }
        }

        internal void Take(EventAnswer answer)
        {
            lock (gate)
            {
                if (outbox.TryFinish(answer))
                {
                    Keep(answers, answer);
                }
            }
        }

        internal EventPlace Take(SessionId session, ServerEvent happened)
        {
            lock (gate)
            {
                var place = inbox.Place(session, happened);
                if (place == EventPlace.Next)
                {
                    Keep(happenings, happened);
                }

                return place;
            }
        }

        private void Keep<T>(Queue<T> queue, T item)
        {
            if (queue.Count >= MaxKept)
            {
                queue.Dequeue();
                Dropped++;
            }

            queue.Enqueue(item);
        }
    }
}
