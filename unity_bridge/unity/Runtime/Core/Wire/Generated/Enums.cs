// Generated from unity_bridge/wire/wire_schema.toml by `make wire`: edit that, not this.
#nullable enable
using System;
using System.Collections.Generic;

namespace SurgNav.Core.Wire
{
    /// <summary>What a message is.</summary>
    public enum MessageType : ushort
    {
        /// <summary>Every tool at one instant.</summary>
        PoseBatch = 1,
        /// <summary>Tools beside the plan, at the instant of the header, some 50 times a second. Counted apart from pose batches.</summary>
        Guidance = 2,
        /// <summary>What Guidance leads along; once a second, for whoever joins. Counted apart from the other messages.</summary>
        GuidancePlan = 3,
        /// <summary>Asks for the manifest.</summary>
        SurfaceListRequest = 16,
        /// <summary>All surfaces on offer.</summary>
        SurfaceManifest = 17,
        /// <summary>Asks for one chunk: the client's credit. The server may send fewer bytes than `length`, never more.</summary>
        SurfaceChunkRequest = 18,
        /// <summary>Bytes of a surface, in the form that the hash addresses.</summary>
        SurfaceChunk = 19,
        /// <summary>A client presents itself; the answer is a Welcome or an Error.</summary>
        Hello = 32,
        /// <summary>The full state for a client that joins, whenever it does.</summary>
        Welcome = 33,
        /// <summary>First of four timestamps, on the client's clock.</summary>
        ClockRequest = 34,
        /// <summary>Timestamps one to three; the client takes the fourth when the reply is in its hands.</summary>
        ClockReply = 35,
        /// <summary>What a client received. Latencies: sensor stamp to decoded, on the server's clock; absent without batches.</summary>
        ClientReport = 36,
        /// <summary>The message with this sequence number was taken in.</summary>
        Acknowledge = 37,
        /// <summary>The sender leaves on purpose.</summary>
        Goodbye = 38,
        /// <summary>A refusal: what came, what is allowed, what to do.</summary>
        Error = 39,
        /// <summary>What a person did at the client. Sent again until the EventAnswer is final; done once however often it comes.</summary>
        ClientEvent = 40,
        /// <summary>What became of a ClientEvent; the same answer whenever the event comes again.</summary>
        EventAnswer = 41,
        /// <summary>What changed at the server. Sent again until an EventReceipt has come for it or for a later one.</summary>
        ServerEvent = 42,
        /// <summary>All events of the header's session up to this one were taken in. No answer.</summary>
        EventReceipt = 43,
        /// <summary>Asks for a test; the answer is a SelfTestTask.</summary>
        SelfTestRequest = 44,
        /// <summary>An object and where to put it, to be decoded and placed by the code that places everything else.</summary>
        SelfTestTask = 45,
        /// <summary>Where the client has put the object; the answer is a SelfTestVerdict.</summary>
        SelfTestReport = 46,
        /// <summary>What the server found; kept in the Welcome.</summary>
        SelfTestVerdict = 47,
        /// <summary>What a headset sees in one image: all of its tools, those that it does not see as lost. Answered by a HeadsetAlignment where another device leads the room.</summary>
        ToolObservations = 48,
        /// <summary>Answers ToolObservations: where the tracker is in this headset's world, as it was calibrated, or why that is not known.</summary>
        HeadsetAlignment = 49,
        /// <summary>Asks for one frame: the client's credit. It is answered by the newest frame there is, as soon as one is newer than `newer_than`.</summary>
        UltrasoundRequest = 64,
        /// <summary>One frame of live ultrasound: its contours, where its image lies, and the image itself where it was asked for.</summary>
        UltrasoundFrame = 65,
    }

    /// <summary>What may be done with a pose: only `valid` is shown as it is; the rest is greyed or hidden, with the reason.</summary>
    public enum Validity : byte
    {
        /// <summary>Memory that nobody filled in; never a value on the wire.</summary>
        Unset = 0,
        Valid = 1,
        Stale = 2,
        Lost = 3,
        Suspect = 4,
    }

    /// <summary>From the wire's bytes to Validity, and to the words of the protocol.</summary>
    public static class ValidityCodes
    {
        public static bool IsDefined(byte code)
        {
            return code is 1 or 2 or 3 or 4;
        }

        /// <exception cref="MalformedMessageException">A code that this version does not have.</exception>
        public static Validity Decode(byte code)
        {
            return IsDefined(code) ? (Validity)code : throw Refuse.Code("Validity", code);
        }

        public static string Word(this Validity value)
        {
            return value switch
            {
                Validity.Valid => "valid",
                Validity.Stale => "stale",
                Validity.Lost => "lost",
                Validity.Suspect => "suspect",
                _ => "unset",
            };
        }
    }

    /// <summary>What became of a client's event: only `accepted` is done; after `pending` ask again for the end of it.</summary>
    public enum EventOutcome : byte
    {
        /// <summary>Memory that nobody filled in; never a value on the wire.</summary>
        Unset = 0,
        Accepted = 1,
        Refused = 2,
        Pending = 3,
    }

    /// <summary>From the wire's bytes to EventOutcome, and to the words of the protocol.</summary>
    public static class EventOutcomeCodes
    {
        public static bool IsDefined(byte code)
        {
            return code is 1 or 2 or 3;
        }

        /// <exception cref="MalformedMessageException">A code that this version does not have.</exception>
        public static EventOutcome Decode(byte code)
        {
            return IsDefined(code) ? (EventOutcome)code : throw Refuse.Code("EventOutcome", code);
        }

        public static string Word(this EventOutcome value)
        {
            return value switch
            {
                EventOutcome.Accepted => "accepted",
                EventOutcome.Refused => "refused",
                EventOutcome.Pending => "pending",
                _ => "unset",
            };
        }
    }

    /// <summary>Whether a client has shown that it places things where they are: until `passed` it shows nothing.</summary>
    public enum SelfTestState : byte
    {
        /// <summary>Memory that nobody filled in; never a value on the wire.</summary>
        Unset = 0,
        Untested = 1,
        Passed = 2,
        Failed = 3,
    }

    /// <summary>From the wire's bytes to SelfTestState, and to the words of the protocol.</summary>
    public static class SelfTestStateCodes
    {
        public static bool IsDefined(byte code)
        {
            return code is 1 or 2 or 3;
        }

        /// <exception cref="MalformedMessageException">A code that this version does not have.</exception>
        public static SelfTestState Decode(byte code)
        {
            return IsDefined(code) ? (SelfTestState)code : throw Refuse.Code("SelfTestState", code);
        }

        public static string Word(this SelfTestState value)
        {
            return value switch
            {
                SelfTestState.Untested => "untested",
                SelfTestState.Passed => "passed",
                SelfTestState.Failed => "failed",
                _ => "unset",
            };
        }
    }

    /// <summary>How near a tip is to a structure at risk, the error taken off: three levels of alert above `clear`.</summary>
    public enum AlertLevel : byte
    {
        /// <summary>Memory that nobody filled in; never a value on the wire.</summary>
        Unset = 0,
        Clear = 1,
        Caution = 2,
        Warning = 3,
        Breach = 4,
    }

    /// <summary>From the wire's bytes to AlertLevel, and to the words of the protocol.</summary>
    public static class AlertLevelCodes
    {
        public static bool IsDefined(byte code)
        {
            return code is 1 or 2 or 3 or 4;
        }

        /// <exception cref="MalformedMessageException">A code that this version does not have.</exception>
        public static AlertLevel Decode(byte code)
        {
            return IsDefined(code) ? (AlertLevel)code : throw Refuse.Code("AlertLevel", code);
        }

        public static string Word(this AlertLevel value)
        {
            return value switch
            {
                AlertLevel.Clear => "clear",
                AlertLevel.Caution => "caution",
                AlertLevel.Warning => "warning",
                AlertLevel.Breach => "breach",
                _ => "unset",
            };
        }
    }

    /// <summary>Of Gertzbein and Robbins, by how far a screw comes out of the bone: `a` not at all, `b` under 2 mm, then 4, 6.</summary>
    public enum ScrewGrade : byte
    {
        /// <summary>Memory that nobody filled in; never a value on the wire.</summary>
        Unset = 0,
        A = 1,
        B = 2,
        C = 3,
        D = 4,
        E = 5,
    }

    /// <summary>From the wire's bytes to ScrewGrade, and to the words of the protocol.</summary>
    public static class ScrewGradeCodes
    {
        public static bool IsDefined(byte code)
        {
            return code is 1 or 2 or 3 or 4 or 5;
        }

        /// <exception cref="MalformedMessageException">A code that this version does not have.</exception>
        public static ScrewGrade Decode(byte code)
        {
            return IsDefined(code) ? (ScrewGrade)code : throw Refuse.Code("ScrewGrade", code);
        }

        public static string Word(this ScrewGrade value)
        {
            return value switch
            {
                ScrewGrade.A => "a",
                ScrewGrade.B => "b",
                ScrewGrade.C => "c",
                ScrewGrade.D => "d",
                ScrewGrade.E => "e",
                _ => "unset",
            };
        }
    }
}
