// Generated from unity_bridge/wire_schema.toml by `make wire`: edit that, not this.
#nullable enable
using System;
using System.Collections.Generic;

namespace SurgNav.Core.Wire
{
    /// <summary>A surface as a client holds it, checked against its hash and decoded.</summary>
    public sealed class ReceivedSurface
    {
        public string Sha256 { get; set; } = "";
        public string Name { get; set; } = "";
        public uint VertexCount { get; set; }
        public uint TriangleCount { get; set; }
        public ulong ByteCount { get; set; }
        public double Seconds { get; set; }

        /// <summary>Reads the fields, skipping unknown tags. Blobs are views of the body.</summary>
        /// <exception cref="WireException">A field that is missing, comes twice, or holds what it cannot.</exception>
        public static ReceivedSurface Decode(ReadOnlyMemory<byte> body)
        {
            var message = new ReceivedSurface();
            ulong seen = 0;
            var fields = new FieldReader(body);
            while (fields.Next())
            {
                switch (fields.Tag)
                {
                    case 1:
                        FieldReader.Once(ref seen, 0, "sha256");
                        message.Sha256 = fields.Sha256();
                        break;
                    case 2:
                        FieldReader.Once(ref seen, 1, "name");
                        message.Name = fields.Text();
                        break;
                    case 3:
                        FieldReader.Once(ref seen, 2, "vertex_count");
                        message.VertexCount = fields.U32();
                        break;
                    case 4:
                        FieldReader.Once(ref seen, 3, "triangle_count");
                        message.TriangleCount = fields.U32();
                        break;
                    case 5:
                        FieldReader.Once(ref seen, 4, "byte_count");
                        message.ByteCount = fields.U64();
                        break;
                    case 6:
                        FieldReader.Once(ref seen, 5, "seconds");
                        message.Seconds = fields.F64();
                        break;
                }
            }

            FieldReader.Require(seen, 0x3F, "ReceivedSurface", "sha256, name, vertex_count, triangle_count, byte_count, seconds");
            return message;
        }

        /// <exception cref="WireException">A value that the wire does not allow.</exception>
        public void Encode(WireWriter writer)
        {
            writer.Sha256(1, Sha256);
            writer.Text(2, Name);
            writer.U32(3, VertexCount);
            writer.U32(4, TriangleCount);
            writer.U64(5, ByteCount);
            writer.F64(6, Seconds);
        }
    }

    /// <summary>A client presents itself; the answer is a Welcome or an Error.</summary>
    public sealed class Hello : IMessage
    {
        public string ClientName { get; set; } = "";
        public string Program { get; set; } = "";

        public MessageType WireType => MessageType.Hello;

        /// <summary>Reads the fields, skipping unknown tags. Blobs are views of the body.</summary>
        /// <exception cref="WireException">A field that is missing, comes twice, or holds what it cannot.</exception>
        public static Hello Decode(ReadOnlyMemory<byte> body)
        {
            var message = new Hello();
            ulong seen = 0;
            var fields = new FieldReader(body);
            while (fields.Next())
            {
                switch (fields.Tag)
                {
                    case 1:
                        FieldReader.Once(ref seen, 0, "client_name");
                        message.ClientName = fields.Text();
                        break;
                    case 2:
                        FieldReader.Once(ref seen, 1, "program");
                        message.Program = fields.Text();
                        break;
                }
            }

            FieldReader.Require(seen, 0x3, "Hello", "client_name, program");
            return message;
        }

        /// <exception cref="WireException">A value that the wire does not allow.</exception>
        public void Encode(WireWriter writer)
        {
            writer.Text(1, ClientName);
            writer.Text(2, Program);
        }
    }

    /// <summary>The full state for a client that joins, whenever it does.</summary>
    public sealed class Welcome : IMessage
    {
        public string ServerName { get; set; } = "";
        public string Program { get; set; } = "";
        /// <summary>Readable name of the server's clock; equal ids are one time scale.</summary>
        public string ClockId { get; set; } = "";
        /// <summary>How often pose batches are sent.</summary>
        public double RateHz { get; set; }
        /// <summary>The newest pose batch at this moment, 0 before the first.</summary>
        public ulong LastPoseSequence { get; set; }
        public string RegistrationId { get; set; } = "";
        /// <summary>Of what all poses stand on; the reason if it is not valid.</summary>
        public Validity RegistrationValidity { get; set; }
        public string RegistrationReason { get; set; } = "";
        public List<string> Tools { get; } = new List<string>();
        public List<string> Surfaces { get; } = new List<string>();
        /// <summary>Unapproved surfaces may be shown; the client must say so on screen.</summary>
        public bool ResearchSession { get; set; }
        public string Notice { get; set; } = "";

        public MessageType WireType => MessageType.Welcome;

        /// <summary>Reads the fields, skipping unknown tags. Blobs are views of the body.</summary>
        /// <exception cref="WireException">A field that is missing, comes twice, or holds what it cannot.</exception>
        public static Welcome Decode(ReadOnlyMemory<byte> body)
        {
            var message = new Welcome();
            ulong seen = 0;
            var fields = new FieldReader(body);
            while (fields.Next())
            {
                switch (fields.Tag)
                {
                    case 1:
                        FieldReader.Once(ref seen, 0, "server_name");
                        message.ServerName = fields.Text();
                        break;
                    case 2:
                        FieldReader.Once(ref seen, 1, "program");
                        message.Program = fields.Text();
                        break;
                    case 3:
                        FieldReader.Once(ref seen, 2, "clock_id");
                        message.ClockId = fields.Text();
                        break;
                    case 4:
                        FieldReader.Once(ref seen, 3, "rate_hz");
                        message.RateHz = fields.F64();
                        break;
                    case 5:
                        FieldReader.Once(ref seen, 4, "last_pose_sequence");
                        message.LastPoseSequence = fields.U64();
                        break;
                    case 6:
                        FieldReader.Once(ref seen, 5, "registration_id");
                        message.RegistrationId = fields.Text();
                        break;
                    case 7:
                        FieldReader.Once(ref seen, 6, "registration_validity");
                        message.RegistrationValidity = ValidityCodes.Decode(fields.Byte());
                        break;
                    case 8:
                        FieldReader.Once(ref seen, 7, "registration_reason");
                        message.RegistrationReason = fields.Text();
                        break;
                    case 9:
                        FieldReader.CheckRepeats(message.Tools.Count, "tools");
                        message.Tools.Add(fields.Text());
                        break;
                    case 10:
                        FieldReader.CheckRepeats(message.Surfaces.Count, "surfaces");
                        message.Surfaces.Add(fields.Sha256());
                        break;
                    case 11:
                        FieldReader.Once(ref seen, 8, "research_session");
                        message.ResearchSession = fields.Flag();
                        break;
                    case 12:
                        FieldReader.Once(ref seen, 9, "notice");
                        message.Notice = fields.Text();
                        break;
                }
            }

            FieldReader.Require(seen, 0x7F, "Welcome", "server_name, program, clock_id, rate_hz, last_pose_sequence, registration_id, registration_validity");
            return message;
        }

        /// <exception cref="WireException">A value that the wire does not allow.</exception>
        public void Encode(WireWriter writer)
        {
            writer.Text(1, ServerName);
            writer.Text(2, Program);
            writer.Text(3, ClockId);
            writer.F64(4, RateHz);
            writer.U64(5, LastPoseSequence);
            writer.Text(6, RegistrationId);
            writer.Byte(7, (byte)ValidityCodes.Decode((byte)RegistrationValidity));
            writer.Text(8, RegistrationReason);
            foreach (var each in Tools)
            {
                writer.Text(9, each);
            }

            foreach (var each in Surfaces)
            {
                writer.Sha256(10, each);
            }

            writer.Flag(11, ResearchSession);
            writer.Text(12, Notice);
        }
    }

    /// <summary>First of four timestamps, on the client's clock.</summary>
    public sealed class ClockRequest : IMessage
    {
        public long ClientSentNs { get; set; }

        public MessageType WireType => MessageType.ClockRequest;

        /// <summary>Reads the fields, skipping unknown tags. Blobs are views of the body.</summary>
        /// <exception cref="WireException">A field that is missing, comes twice, or holds what it cannot.</exception>
        public static ClockRequest Decode(ReadOnlyMemory<byte> body)
        {
            var message = new ClockRequest();
            ulong seen = 0;
            var fields = new FieldReader(body);
            while (fields.Next())
            {
                switch (fields.Tag)
                {
                    case 1:
                        FieldReader.Once(ref seen, 0, "client_sent_ns");
                        message.ClientSentNs = fields.I64();
                        break;
                }
            }

            FieldReader.Require(seen, 0x1, "ClockRequest", "client_sent_ns");
            return message;
        }

        /// <exception cref="WireException">A value that the wire does not allow.</exception>
        public void Encode(WireWriter writer)
        {
            writer.I64(1, ClientSentNs);
        }
    }

    /// <summary>Timestamps one to three; the client takes the fourth when the reply is in its hands.</summary>
    public sealed class ClockReply : IMessage
    {
        public long ClientSentNs { get; set; }
        public long ServerReceivedNs { get; set; }
        public long ServerSentNs { get; set; }

        public MessageType WireType => MessageType.ClockReply;

        /// <summary>Reads the fields, skipping unknown tags. Blobs are views of the body.</summary>
        /// <exception cref="WireException">A field that is missing, comes twice, or holds what it cannot.</exception>
        public static ClockReply Decode(ReadOnlyMemory<byte> body)
        {
            var message = new ClockReply();
            ulong seen = 0;
            var fields = new FieldReader(body);
            while (fields.Next())
            {
                switch (fields.Tag)
                {
                    case 1:
                        FieldReader.Once(ref seen, 0, "client_sent_ns");
                        message.ClientSentNs = fields.I64();
                        break;
                    case 2:
                        FieldReader.Once(ref seen, 1, "server_received_ns");
                        message.ServerReceivedNs = fields.I64();
                        break;
                    case 3:
                        FieldReader.Once(ref seen, 2, "server_sent_ns");
                        message.ServerSentNs = fields.I64();
                        break;
                }
            }

            FieldReader.Require(seen, 0x7, "ClockReply", "client_sent_ns, server_received_ns, server_sent_ns");
            return message;
        }

        /// <exception cref="WireException">A value that the wire does not allow.</exception>
        public void Encode(WireWriter writer)
        {
            writer.I64(1, ClientSentNs);
            writer.I64(2, ServerReceivedNs);
            writer.I64(3, ServerSentNs);
        }
    }

    /// <summary>What a client received. Latencies: sensor stamp to decoded, on the server's clock; absent without batches.</summary>
    public sealed class ClientReport : IMessage
    {
        public ulong BatchesReceived { get; set; }
        public ulong PosesLost { get; set; }
        public ulong FirstSequence { get; set; }
        public ulong LastSequence { get; set; }
        public ulong MessagesRefused { get; set; }
        public double? LatencyP50Ms { get; set; }
        public double? LatencyP99Ms { get; set; }
        public double? LatencyP999Ms { get; set; }
        public long? ClockOffsetNs { get; set; }
        public long? ClockErrorNs { get; set; }
        public List<ReceivedSurface> Surfaces { get; } = new List<ReceivedSurface>();

        public MessageType WireType => MessageType.ClientReport;

        /// <summary>Reads the fields, skipping unknown tags. Blobs are views of the body.</summary>
        /// <exception cref="WireException">A field that is missing, comes twice, or holds what it cannot.</exception>
        public static ClientReport Decode(ReadOnlyMemory<byte> body)
        {
            var message = new ClientReport();
            ulong seen = 0;
            var fields = new FieldReader(body);
            while (fields.Next())
            {
                switch (fields.Tag)
                {
                    case 1:
                        FieldReader.Once(ref seen, 0, "batches_received");
                        message.BatchesReceived = fields.U64();
                        break;
                    case 2:
                        FieldReader.Once(ref seen, 1, "poses_lost");
                        message.PosesLost = fields.U64();
                        break;
                    case 3:
                        FieldReader.Once(ref seen, 2, "first_sequence");
                        message.FirstSequence = fields.U64();
                        break;
                    case 4:
                        FieldReader.Once(ref seen, 3, "last_sequence");
                        message.LastSequence = fields.U64();
                        break;
                    case 5:
                        FieldReader.Once(ref seen, 4, "messages_refused");
                        message.MessagesRefused = fields.U64();
                        break;
                    case 6:
                        FieldReader.Once(ref seen, 5, "latency_p50_ms");
                        message.LatencyP50Ms = fields.F64();
                        break;
                    case 7:
                        FieldReader.Once(ref seen, 6, "latency_p99_ms");
                        message.LatencyP99Ms = fields.F64();
                        break;
                    case 8:
                        FieldReader.Once(ref seen, 7, "latency_p999_ms");
                        message.LatencyP999Ms = fields.F64();
                        break;
                    case 9:
                        FieldReader.Once(ref seen, 8, "clock_offset_ns");
                        message.ClockOffsetNs = fields.I64();
                        break;
                    case 10:
                        FieldReader.Once(ref seen, 9, "clock_error_ns");
                        message.ClockErrorNs = fields.I64();
                        break;
                    case 11:
                        FieldReader.CheckRepeats(message.Surfaces.Count, "surfaces");
                        message.Surfaces.Add(ReceivedSurface.Decode(fields.Blob()));
                        break;
                }
            }

            FieldReader.Require(seen, 0x3, "ClientReport", "batches_received, poses_lost");
            return message;
        }

        /// <exception cref="WireException">A value that the wire does not allow.</exception>
        public void Encode(WireWriter writer)
        {
            writer.U64(1, BatchesReceived);
            writer.U64(2, PosesLost);
            writer.U64(3, FirstSequence);
            writer.U64(4, LastSequence);
            writer.U64(5, MessagesRefused);
            if (LatencyP50Ms is { } value6)
            {
                writer.F64(6, value6);
            }

            if (LatencyP99Ms is { } value7)
            {
                writer.F64(7, value7);
            }

            if (LatencyP999Ms is { } value8)
            {
                writer.F64(8, value8);
            }

            if (ClockOffsetNs is { } value9)
            {
                writer.I64(9, value9);
            }

            if (ClockErrorNs is { } value10)
            {
                writer.I64(10, value10);
            }

            foreach (var each in Surfaces)
            {
                int start11 = writer.Begin(11);
                each.Encode(writer);
                writer.End(start11);
            }

        }
    }

    /// <summary>The message with this sequence number was taken in.</summary>
    public sealed class Acknowledge : IMessage
    {
        public ulong AnswersSequence { get; set; }

        public MessageType WireType => MessageType.Acknowledge;

        /// <summary>Reads the fields, skipping unknown tags. Blobs are views of the body.</summary>
        /// <exception cref="WireException">A field that is missing, comes twice, or holds what it cannot.</exception>
        public static Acknowledge Decode(ReadOnlyMemory<byte> body)
        {
            var message = new Acknowledge();
            ulong seen = 0;
            var fields = new FieldReader(body);
            while (fields.Next())
            {
                switch (fields.Tag)
                {
                    case 1:
                        FieldReader.Once(ref seen, 0, "answers_sequence");
                        message.AnswersSequence = fields.U64();
                        break;
                }
            }

            FieldReader.Require(seen, 0x1, "Acknowledge", "answers_sequence");
            return message;
        }

        /// <exception cref="WireException">A value that the wire does not allow.</exception>
        public void Encode(WireWriter writer)
        {
            writer.U64(1, AnswersSequence);
        }
    }

    /// <summary>The sender leaves on purpose.</summary>
    public sealed class Goodbye : IMessage
    {
        public string Reason { get; set; } = "";

        public MessageType WireType => MessageType.Goodbye;

        /// <summary>Reads the fields, skipping unknown tags. Blobs are views of the body.</summary>
        /// <exception cref="WireException">A field that is missing, comes twice, or holds what it cannot.</exception>
        public static Goodbye Decode(ReadOnlyMemory<byte> body)
        {
            var message = new Goodbye();
            ulong seen = 0;
            var fields = new FieldReader(body);
            while (fields.Next())
            {
                switch (fields.Tag)
                {
                    case 1:
                        FieldReader.Once(ref seen, 0, "reason");
                        message.Reason = fields.Text();
                        break;
                }
            }

            return message;
        }

        /// <exception cref="WireException">A value that the wire does not allow.</exception>
        public void Encode(WireWriter writer)
        {
            writer.Text(1, Reason);
        }
    }

    /// <summary>A refusal: what came, what is allowed, what to do.</summary>
    public sealed class Error : IMessage
    {
        /// <summary>For programs; never changes its meaning.</summary>
        public string Code { get; set; } = "";
        public string Came { get; set; } = "";
        public string Allowed { get; set; } = "";
        public string Action { get; set; } = "";
        public ulong AnswersSequence { get; set; }

        public MessageType WireType => MessageType.Error;

        /// <summary>Reads the fields, skipping unknown tags. Blobs are views of the body.</summary>
        /// <exception cref="WireException">A field that is missing, comes twice, or holds what it cannot.</exception>
        public static Error Decode(ReadOnlyMemory<byte> body)
        {
            var message = new Error();
            ulong seen = 0;
            var fields = new FieldReader(body);
            while (fields.Next())
            {
                switch (fields.Tag)
                {
                    case 1:
                        FieldReader.Once(ref seen, 0, "code");
                        message.Code = fields.Text();
                        break;
                    case 2:
                        FieldReader.Once(ref seen, 1, "came");
                        message.Came = fields.Text();
                        break;
                    case 3:
                        FieldReader.Once(ref seen, 2, "allowed");
                        message.Allowed = fields.Text();
                        break;
                    case 4:
                        FieldReader.Once(ref seen, 3, "action");
                        message.Action = fields.Text();
                        break;
                    case 5:
                        FieldReader.Once(ref seen, 4, "answers_sequence");
                        message.AnswersSequence = fields.U64();
                        break;
                }
            }

            FieldReader.Require(seen, 0xF, "Error", "code, came, allowed, action");
            return message;
        }

        /// <exception cref="WireException">A value that the wire does not allow.</exception>
        public void Encode(WireWriter writer)
        {
            writer.Text(1, Code);
            writer.Text(2, Came);
            writer.Text(3, Allowed);
            writer.Text(4, Action);
            writer.U64(5, AnswersSequence);
        }
    }
}
