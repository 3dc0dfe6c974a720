// Generated from unity_bridge/wire/wire_schema.toml by `make wire`: edit that, not this.
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

    /// <summary>A labelled vertex of the test object.</summary>
    public sealed class TestPoint
    {
        /// <summary>Its index.</summary>
        public uint Vertex { get; set; }
        public string Name { get; set; } = "";

        /// <summary>Reads the fields, skipping unknown tags. Blobs are views of the body.</summary>
        /// <exception cref="WireException">A field that is missing, comes twice, or holds what it cannot.</exception>
        public static TestPoint Decode(ReadOnlyMemory<byte> body)
        {
            var message = new TestPoint();
            ulong seen = 0;
            var fields = new FieldReader(body);
            while (fields.Next())
            {
                switch (fields.Tag)
                {
                    case 1:
                        FieldReader.Once(ref seen, 0, "vertex");
                        message.Vertex = fields.U32();
                        break;
                    case 2:
                        FieldReader.Once(ref seen, 1, "name");
                        message.Name = fields.Text();
                        break;
                }
            }

            FieldReader.Require(seen, 0x3, "TestPoint", "vertex, name");
            return message;
        }

        /// <exception cref="WireException">A value that the wire does not allow.</exception>
        public void Encode(WireWriter writer)
        {
            writer.U32(1, Vertex);
            writer.Text(2, Name);
        }
    }

    /// <summary>A labelled vertex as the client has it.</summary>
    public sealed class PlacedPoint
    {
        public uint Vertex { get; set; }
        /// <summary>In the world.</summary>
        public double[] PositionM { get; set; } = new double[3];
        /// <summary>In the world, as it is lit.</summary>
        public double[] Normal { get; set; } = new double[3];

        /// <summary>Reads the fields, skipping unknown tags. Blobs are views of the body.</summary>
        /// <exception cref="WireException">A field that is missing, comes twice, or holds what it cannot.</exception>
        public static PlacedPoint Decode(ReadOnlyMemory<byte> body)
        {
            var message = new PlacedPoint();
            ulong seen = 0;
            var fields = new FieldReader(body);
            while (fields.Next())
            {
                switch (fields.Tag)
                {
                    case 1:
                        FieldReader.Once(ref seen, 0, "vertex");
                        message.Vertex = fields.U32();
                        break;
                    case 2:
                        FieldReader.Once(ref seen, 1, "position_m");
                        message.PositionM = fields.F64Array(3);
                        break;
                    case 3:
                        FieldReader.Once(ref seen, 2, "normal");
                        message.Normal = fields.F64Array(3);
                        break;
                }
            }

            FieldReader.Require(seen, 0x7, "PlacedPoint", "vertex, position_m, normal");
            return message;
        }

        /// <exception cref="WireException">A value that the wire does not allow.</exception>
        public void Encode(WireWriter writer)
        {
            writer.U32(1, Vertex);
            writer.F64Array(2, PositionM, 3);
            writer.F64Array(3, Normal, 3);
        }
    }

    /// <summary>A triangle as the client draws it.</summary>
    public sealed class PlacedTriangle
    {
        public uint Triangle { get; set; }
        /// <summary>A vector in the world out of the side that is drawn: (b - a) x (c - a) of its corners, where clockwise is the front.</summary>
        public double[] VisibleSide { get; set; } = new double[3];

        /// <summary>Reads the fields, skipping unknown tags. Blobs are views of the body.</summary>
        /// <exception cref="WireException">A field that is missing, comes twice, or holds what it cannot.</exception>
        public static PlacedTriangle Decode(ReadOnlyMemory<byte> body)
        {
            var message = new PlacedTriangle();
            ulong seen = 0;
            var fields = new FieldReader(body);
            while (fields.Next())
            {
                switch (fields.Tag)
                {
                    case 1:
                        FieldReader.Once(ref seen, 0, "triangle");
                        message.Triangle = fields.U32();
                        break;
                    case 2:
                        FieldReader.Once(ref seen, 1, "visible_side");
                        message.VisibleSide = fields.F64Array(3);
                        break;
                }
            }

            FieldReader.Require(seen, 0x3, "PlacedTriangle", "triangle, visible_side");
            return message;
        }

        /// <exception cref="WireException">A value that the wire does not allow.</exception>
        public void Encode(WireWriter writer)
        {
            writer.U32(1, Triangle);
            writer.F64Array(2, VisibleSide, 3);
        }
    }

    /// <summary>The object under one of the poses.</summary>
    public sealed class Placement
    {
        /// <summary>Index of the pose batch in the task, from 0.</summary>
        public uint Batch { get; set; }
        public List<PlacedPoint> Points { get; } = new List<PlacedPoint>();
        public List<PlacedTriangle> Triangles { get; } = new List<PlacedTriangle>();

        /// <summary>Reads the fields, skipping unknown tags. Blobs are views of the body.</summary>
        /// <exception cref="WireException">A field that is missing, comes twice, or holds what it cannot.</exception>
        public static Placement Decode(ReadOnlyMemory<byte> body)
        {
            var message = new Placement();
            ulong seen = 0;
            var fields = new FieldReader(body);
            while (fields.Next())
            {
                switch (fields.Tag)
                {
                    case 1:
                        FieldReader.Once(ref seen, 0, "batch");
                        message.Batch = fields.U32();
                        break;
                    case 2:
                        FieldReader.CheckRepeats(message.Points.Count, "points");
                        message.Points.Add(PlacedPoint.Decode(fields.Blob()));
                        break;
                    case 3:
                        FieldReader.CheckRepeats(message.Triangles.Count, "triangles");
                        message.Triangles.Add(PlacedTriangle.Decode(fields.Blob()));
                        break;
                }
            }

            FieldReader.Require(seen, 0x1, "Placement", "batch");
            return message;
        }

        /// <exception cref="WireException">A value that the wire does not allow.</exception>
        public void Encode(WireWriter writer)
        {
            writer.U32(1, Batch);
            foreach (var each in Points)
            {
                int start2 = writer.Begin(2);
                each.Encode(writer);
                writer.End(start2);
            }

            foreach (var each in Triangles)
            {
                int start3 = writer.Begin(3);
                each.Encode(writer);
                writer.End(start3);
            }

        }
    }

    /// <summary>One tool as a headset sees it, or does not.</summary>
    public sealed class ObservedTool
    {
        /// <summary>Its name at the headset; each tool comes once.</summary>
        public string Tool { get; set; } = "";
        /// <summary>`valid` and `suspect` have a pose, `stale` and `lost` have none.</summary>
        public Validity Validity { get; set; }
        /// <summary>Why it is not valid.</summary>
        public string Reason { get; set; } = "";
        /// <summary>Of the tool in the headset's world, in Unity's convention.</summary>
        public double[]? PositionM { get; set; }
        /// <summary>Unit quaternion as Unity's `Quaternion`.</summary>
        public double[]? RotationXyzw { get; set; }
        /// <summary>Where this tool was seen at another time than the message says, on the server's clock.</summary>
        public long? SeenNs { get; set; }
        /// <summary>RMS distance between the marker as seen and as designed, where the headset has it.</summary>
        public double? FitRmsMm { get; set; }
        /// <summary>Upper triangle, by rows, of the 6 x 6 of rotation vector (rad) and position (m), along the axes of the headset's world; a rotation vector is the quaternion's axis times its angle.</summary>
        public double[]? Covariance { get; set; }

        /// <summary>Reads the fields, skipping unknown tags. Blobs are views of the body.</summary>
        /// <exception cref="WireException">A field that is missing, comes twice, or holds what it cannot.</exception>
        public static ObservedTool Decode(ReadOnlyMemory<byte> body)
        {
            var message = new ObservedTool();
            ulong seen = 0;
            var fields = new FieldReader(body);
            while (fields.Next())
            {
                switch (fields.Tag)
                {
                    case 1:
                        FieldReader.Once(ref seen, 0, "tool");
                        message.Tool = fields.Text();
                        break;
                    case 2:
                        FieldReader.Once(ref seen, 1, "validity");
                        message.Validity = ValidityCodes.Decode(fields.Byte());
                        break;
                    case 3:
                        FieldReader.Once(ref seen, 2, "reason");
                        message.Reason = fields.Text();
                        break;
                    case 4:
                        FieldReader.Once(ref seen, 3, "position_m");
                        message.PositionM = fields.Position();
                        break;
                    case 5:
                        FieldReader.Once(ref seen, 4, "rotation_xyzw");
                        message.RotationXyzw = fields.F64Array(4);
                        break;
                    case 6:
                        FieldReader.Once(ref seen, 5, "seen_ns");
                        message.SeenNs = fields.I64();
                        break;
                    case 7:
                        FieldReader.Once(ref seen, 6, "fit_rms_mm");
                        message.FitRmsMm = fields.F64();
                        break;
                    case 8:
                        FieldReader.Once(ref seen, 7, "covariance");
                        message.Covariance = fields.F64Array(21);
                        break;
                }
            }

            FieldReader.Require(seen, 0x3, "ObservedTool", "tool, validity");
            return message;
        }

        /// <exception cref="WireException">A value that the wire does not allow.</exception>
        public void Encode(WireWriter writer)
        {
            writer.Text(1, Tool);
            writer.Byte(2, (byte)ValidityCodes.Decode((byte)Validity));
            writer.Text(3, Reason);
            if (PositionM is { } value4)
            {
                writer.Position(4, value4);
            }

            if (RotationXyzw is { } value5)
            {
                writer.F64Array(5, value5, 4);
            }

            if (SeenNs is { } value6)
            {
                writer.I64(6, value6);
            }

            if (FitRmsMm is { } value7)
            {
                writer.F64(7, value7);
            }

            if (Covariance is { } value8)
            {
                writer.F64Array(8, value8, 21);
            }

        }
    }

    /// <summary>A client presents itself; the answer is a Welcome or an Error.</summary>
    public sealed class Hello : IMessage
    {
        public string ClientName { get; set; } = "";
        public string Program { get; set; } = "";
        /// <summary>Drawn anew whenever the client's program starts, such as a UUID: 1 to 64 letters, digits and '-'; the same after a broken link, and in its events.</summary>
        public string? Stream { get; set; }
        /// <summary>Of the header's session, the last event of the server that was taken in; absent from a client that joins.</summary>
        public ulong? LastEvent { get; set; }

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
                    case 3:
                        FieldReader.Once(ref seen, 2, "stream");
                        message.Stream = fields.Text();
                        break;
                    case 4:
                        FieldReader.Once(ref seen, 3, "last_event");
                        message.LastEvent = fields.U64();
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
            if (Stream is { } value3)
            {
                writer.Text(3, value3);
            }

            if (LastEvent is { } value4)
            {
                writer.U64(4, value4);
            }

        }
    }

    /// <summary>The full state for a client that joins, whenever it does.</summary>
    public sealed class Welcome : IMessage
    {
        public string ServerName { get; set; } = "";
        public string Program { get; set; } = "";
        /// <summary>Readable name of the server's clock; equal ids are one time scale (section 6).</summary>
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
        /// <summary>The newest event of the server that this state has in it; absent where the server has no events.</summary>
        public ulong? LastEvent { get; set; }
        /// <summary>Of this client; absent where the server has no self-test.</summary>
        public SelfTestState? SelfTest { get; set; }
        /// <summary>Why it failed.</summary>
        public List<string> SelfTestReasons { get; } = new List<string>();
        public string? SelectedTarget { get; set; }
        /// <summary>What was asked of the operator and is not settled.</summary>
        public List<string> OpenRequests { get; } = new List<string>();
        /// <summary>A pose older than this, by your own clock, is stale, whatever the message says; 100 where absent.</summary>
        public double? PoseStaleAfterMs { get; set; }
        /// <summary>And older than this it is lost; 250 where absent. Section 4 has the rule.</summary>
        public double? PoseLostAfterMs { get; set; }
        /// <summary>Of a client that passed the self-test: the topic that it subscribes to for the poses, section 4. Keep it to yourself.</summary>
        public ReadOnlyMemory<byte>? PoseToken { get; set; }
        /// <summary>Of the ultrasound socket, at this server's address; absent where there is no ultrasound.</summary>
        public uint? UltrasoundPort { get; set; }

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
                    case 13:
                        FieldReader.Once(ref seen, 10, "last_event");
                        message.LastEvent = fields.U64();
                        break;
                    case 14:
                        FieldReader.Once(ref seen, 11, "self_test");
                        message.SelfTest = SelfTestStateCodes.Decode(fields.Byte());
                        break;
                    case 15:
                        FieldReader.CheckRepeats(message.SelfTestReasons.Count, "self_test_reasons");
                        message.SelfTestReasons.Add(fields.Text());
                        break;
                    case 16:
                        FieldReader.Once(ref seen, 12, "selected_target");
                        message.SelectedTarget = fields.Text();
                        break;
                    case 17:
                        FieldReader.CheckRepeats(message.OpenRequests.Count, "open_requests");
                        message.OpenRequests.Add(fields.Text());
                        break;
                    case 18:
                        FieldReader.Once(ref seen, 13, "pose_stale_after_ms");
                        message.PoseStaleAfterMs = fields.F64();
                        break;
                    case 19:
                        FieldReader.Once(ref seen, 14, "pose_lost_after_ms");
                        message.PoseLostAfterMs = fields.F64();
                        break;
                    case 20:
                        FieldReader.Once(ref seen, 15, "pose_token");
                        message.PoseToken = fields.Blob();
                        break;
                    case 21:
                        FieldReader.Once(ref seen, 16, "ultrasound_port");
                        message.UltrasoundPort = fields.U32();
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
            if (LastEvent is { } value13)
            {
                writer.U64(13, value13);
            }

            if (SelfTest is { } value14)
            {
                writer.Byte(14, (byte)SelfTestStateCodes.Decode((byte)value14));
            }

            foreach (var each in SelfTestReasons)
            {
                writer.Text(15, each);
            }

            if (SelectedTarget is { } value16)
            {
                writer.Text(16, value16);
            }

            foreach (var each in OpenRequests)
            {
                writer.Text(17, each);
            }

            if (PoseStaleAfterMs is { } value18)
            {
                writer.F64(18, value18);
            }

            if (PoseLostAfterMs is { } value19)
            {
                writer.F64(19, value19);
            }

            if (PoseToken is { } value20)
            {
                writer.Blob(20, value20);
            }

            if (UltrasoundPort is { } value21)
            {
                writer.U32(21, value21);
            }

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

    /// <summary>What a person did at the client. Sent again until the EventAnswer is final; done once however often it comes.</summary>
    public sealed class ClientEvent : IMessage
    {
        /// <summary>The Hello's.</summary>
        public string Stream { get; set; } = "";
        /// <summary>Counts the events of a stream from 1; an event that is sent again keeps its number.</summary>
        public ulong Number { get; set; }
        /// <summary>Which of the other fields it needs; section 7 lists the kinds.</summary>
        public string Kind { get; set; } = "";
        /// <summary>The server's session that the event was sent to first: 32 hexadecimal digits.</summary>
        public string FirstSession { get; set; } = "";
        /// <summary>On the server's clock; absent while the clocks are not compared.</summary>
        public long? HappenedNs { get; set; }
        /// <summary>Who did it.</summary>
        public string Person { get; set; } = "";
        /// <summary>Of the landmark, the surface or the target.</summary>
        public string Name { get; set; } = "";
        /// <summary>Of the position.</summary>
        public string Frame { get; set; } = "";
        /// <summary>In that frame, in Unity's convention.</summary>
        public double[]? PositionM { get; set; }
        /// <summary>Of the surface payload that the person saw.</summary>
        public string? Sha256 { get; set; }
        /// <summary>On a surface: 'approved' or 'rejected'.</summary>
        public string Decision { get; set; } = "";
        public string Reason { get; set; } = "";
        /// <summary>In force when it happened, as the client knew it.</summary>
        public string RegistrationId { get; set; } = "";
        /// <summary>That it was touched with.</summary>
        public string Tool { get; set; } = "";
        /// <summary>Of a touch that was held: RMS distance of the samples from their mean, which is the position.</summary>
        public double? SpreadMm { get; set; }
        /// <summary>Of a touch that was held: how many new observations were averaged.</summary>
        public uint? Samples { get; set; }
        /// <summary>Of a position in the headset's own world: where that frame was, as in ToolObservations.</summary>
        public string? Anchor { get; set; }

        public MessageType WireType => MessageType.ClientEvent;

        /// <summary>Reads the fields, skipping unknown tags. Blobs are views of the body.</summary>
        /// <exception cref="WireException">A field that is missing, comes twice, or holds what it cannot.</exception>
        public static ClientEvent Decode(ReadOnlyMemory<byte> body)
        {
            var message = new ClientEvent();
            ulong seen = 0;
            var fields = new FieldReader(body);
            while (fields.Next())
            {
                switch (fields.Tag)
                {
                    case 1:
                        FieldReader.Once(ref seen, 0, "stream");
                        message.Stream = fields.Text();
                        break;
                    case 2:
                        FieldReader.Once(ref seen, 1, "number");
                        message.Number = fields.U64();
                        break;
                    case 3:
                        FieldReader.Once(ref seen, 2, "kind");
                        message.Kind = fields.Text();
                        break;
                    case 4:
                        FieldReader.Once(ref seen, 3, "first_session");
                        message.FirstSession = fields.Text();
                        break;
                    case 5:
                        FieldReader.Once(ref seen, 4, "happened_ns");
                        message.HappenedNs = fields.I64();
                        break;
                    case 6:
                        FieldReader.Once(ref seen, 5, "person");
                        message.Person = fields.Text();
                        break;
                    case 7:
                        FieldReader.Once(ref seen, 6, "name");
                        message.Name = fields.Text();
                        break;
                    case 8:
                        FieldReader.Once(ref seen, 7, "frame");
                        message.Frame = fields.Text();
                        break;
                    case 9:
                        FieldReader.Once(ref seen, 8, "position_m");
                        message.PositionM = fields.Position();
                        break;
                    case 10:
                        FieldReader.Once(ref seen, 9, "sha256");
                        message.Sha256 = fields.Sha256();
                        break;
                    case 11:
                        FieldReader.Once(ref seen, 10, "decision");
                        message.Decision = fields.Text();
                        break;
                    case 12:
                        FieldReader.Once(ref seen, 11, "reason");
                        message.Reason = fields.Text();
                        break;
                    case 13:
                        FieldReader.Once(ref seen, 12, "registration_id");
                        message.RegistrationId = fields.Text();
                        break;
                    case 14:
                        FieldReader.Once(ref seen, 13, "tool");
                        message.Tool = fields.Text();
                        break;
                    case 15:
                        FieldReader.Once(ref seen, 14, "spread_mm");
                        message.SpreadMm = fields.F64();
                        break;
                    case 16:
                        FieldReader.Once(ref seen, 15, "samples");
                        message.Samples = fields.U32();
                        break;
                    case 17:
                        FieldReader.Once(ref seen, 16, "anchor");
                        message.Anchor = fields.Text();
                        break;
                }
            }

            FieldReader.Require(seen, 0xF, "ClientEvent", "stream, number, kind, first_session");
            return message;
        }

        /// <exception cref="WireException">A value that the wire does not allow.</exception>
        public void Encode(WireWriter writer)
        {
            writer.Text(1, Stream);
            writer.U64(2, Number);
            writer.Text(3, Kind);
            writer.Text(4, FirstSession);
            if (HappenedNs is { } value5)
            {
                writer.I64(5, value5);
            }

            writer.Text(6, Person);
            writer.Text(7, Name);
            writer.Text(8, Frame);
            if (PositionM is { } value9)
            {
                writer.Position(9, value9);
            }

            if (Sha256 is { } value10)
            {
                writer.Sha256(10, value10);
            }

            writer.Text(11, Decision);
            writer.Text(12, Reason);
            writer.Text(13, RegistrationId);
            writer.Text(14, Tool);
            if (SpreadMm is { } value15)
            {
                writer.F64(15, value15);
            }

            if (Samples is { } value16)
            {
                writer.U32(16, value16);
            }

            if (Anchor is { } value17)
            {
                writer.Text(17, value17);
            }

        }
    }

    /// <summary>What became of a ClientEvent; the same answer whenever the event comes again.</summary>
    public sealed class EventAnswer : IMessage
    {
        public string Stream { get; set; } = "";
        public ulong Number { get; set; }
        public EventOutcome Outcome { get; set; }
        /// <summary>What was done with it, for the person.</summary>
        public string Note { get; set; } = "";
        /// <summary>Of a refusal, for programs.</summary>
        public string Code { get; set; } = "";
        public string Came { get; set; } = "";
        public string Allowed { get; set; } = "";
        public string Action { get; set; } = "";

        public MessageType WireType => MessageType.EventAnswer;

        /// <summary>Reads the fields, skipping unknown tags. Blobs are views of the body.</summary>
        /// <exception cref="WireException">A field that is missing, comes twice, or holds what it cannot.</exception>
        public static EventAnswer Decode(ReadOnlyMemory<byte> body)
        {
            var message = new EventAnswer();
            ulong seen = 0;
            var fields = new FieldReader(body);
            while (fields.Next())
            {
                switch (fields.Tag)
                {
                    case 1:
                        FieldReader.Once(ref seen, 0, "stream");
                        message.Stream = fields.Text();
                        break;
                    case 2:
                        FieldReader.Once(ref seen, 1, "number");
                        message.Number = fields.U64();
                        break;
                    case 3:
                        FieldReader.Once(ref seen, 2, "outcome");
                        message.Outcome = EventOutcomeCodes.Decode(fields.Byte());
                        break;
                    case 4:
                        FieldReader.Once(ref seen, 3, "note");
                        message.Note = fields.Text();
                        break;
                    case 5:
                        FieldReader.Once(ref seen, 4, "code");
                        message.Code = fields.Text();
                        break;
                    case 6:
                        FieldReader.Once(ref seen, 5, "came");
                        message.Came = fields.Text();
                        break;
                    case 7:
                        FieldReader.Once(ref seen, 6, "allowed");
                        message.Allowed = fields.Text();
                        break;
                    case 8:
                        FieldReader.Once(ref seen, 7, "action");
                        message.Action = fields.Text();
                        break;
                }
            }

            FieldReader.Require(seen, 0x7, "EventAnswer", "stream, number, outcome");
            return message;
        }

        /// <exception cref="WireException">A value that the wire does not allow.</exception>
        public void Encode(WireWriter writer)
        {
            writer.Text(1, Stream);
            writer.U64(2, Number);
            writer.Byte(3, (byte)EventOutcomeCodes.Decode((byte)Outcome));
            writer.Text(4, Note);
            writer.Text(5, Code);
            writer.Text(6, Came);
            writer.Text(7, Allowed);
            writer.Text(8, Action);
        }
    }

    /// <summary>What changed at the server. Sent again until an EventReceipt has come for it or for a later one.</summary>
    public sealed class ServerEvent : IMessage
    {
        /// <summary>Counts the events of the header's session from 1.</summary>
        public ulong Number { get; set; }
        /// <summary>Section 7 lists the kinds; skip one that you do not know, and confirm it.</summary>
        public string Kind { get; set; } = "";
        /// <summary>On the server's clock.</summary>
        public long HappenedNs { get; set; }
        /// <summary>The oldest event that the server still has: what is missing before it will not come again.</summary>
        public ulong OldestKept { get; set; }
        /// <summary>Of the tool, the surface or the target.</summary>
        public string Name { get; set; } = "";
        public Validity? Validity { get; set; }
        public string Reason { get; set; } = "";
        public string RegistrationId { get; set; } = "";
        /// <summary>Of the surface payload.</summary>
        public string? Sha256 { get; set; }
        /// <summary>Who decided.</summary>
        public string Person { get; set; } = "";

        public MessageType WireType => MessageType.ServerEvent;

        /// <summary>Reads the fields, skipping unknown tags. Blobs are views of the body.</summary>
        /// <exception cref="WireException">A field that is missing, comes twice, or holds what it cannot.</exception>
        public static ServerEvent Decode(ReadOnlyMemory<byte> body)
        {
            var message = new ServerEvent();
            ulong seen = 0;
            var fields = new FieldReader(body);
            while (fields.Next())
            {
                switch (fields.Tag)
                {
                    case 1:
                        FieldReader.Once(ref seen, 0, "number");
                        message.Number = fields.U64();
                        break;
                    case 2:
                        FieldReader.Once(ref seen, 1, "kind");
                        message.Kind = fields.Text();
                        break;
                    case 3:
                        FieldReader.Once(ref seen, 2, "happened_ns");
                        message.HappenedNs = fields.I64();
                        break;
                    case 4:
                        FieldReader.Once(ref seen, 3, "oldest_kept");
                        message.OldestKept = fields.U64();
                        break;
                    case 5:
                        FieldReader.Once(ref seen, 4, "name");
                        message.Name = fields.Text();
                        break;
                    case 6:
                        FieldReader.Once(ref seen, 5, "validity");
                        message.Validity = ValidityCodes.Decode(fields.Byte());
                        break;
                    case 7:
                        FieldReader.Once(ref seen, 6, "reason");
                        message.Reason = fields.Text();
                        break;
                    case 8:
                        FieldReader.Once(ref seen, 7, "registration_id");
                        message.RegistrationId = fields.Text();
                        break;
                    case 9:
                        FieldReader.Once(ref seen, 8, "sha256");
                        message.Sha256 = fields.Sha256();
                        break;
                    case 10:
                        FieldReader.Once(ref seen, 9, "person");
                        message.Person = fields.Text();
                        break;
                }
            }

            FieldReader.Require(seen, 0xF, "ServerEvent", "number, kind, happened_ns, oldest_kept");
            return message;
        }

        /// <exception cref="WireException">A value that the wire does not allow.</exception>
        public void Encode(WireWriter writer)
        {
            writer.U64(1, Number);
            writer.Text(2, Kind);
            writer.I64(3, HappenedNs);
            writer.U64(4, OldestKept);
            writer.Text(5, Name);
            if (Validity is { } value6)
            {
                writer.Byte(6, (byte)ValidityCodes.Decode((byte)value6));
            }

            writer.Text(7, Reason);
            writer.Text(8, RegistrationId);
            if (Sha256 is { } value9)
            {
                writer.Sha256(9, value9);
            }

            writer.Text(10, Person);
        }
    }

    /// <summary>All events of the header's session up to this one were taken in. No answer.</summary>
    public sealed class EventReceipt : IMessage
    {
        public ulong LastEvent { get; set; }

        public MessageType WireType => MessageType.EventReceipt;

        /// <summary>Reads the fields, skipping unknown tags. Blobs are views of the body.</summary>
        /// <exception cref="WireException">A field that is missing, comes twice, or holds what it cannot.</exception>
        public static EventReceipt Decode(ReadOnlyMemory<byte> body)
        {
            var message = new EventReceipt();
            ulong seen = 0;
            var fields = new FieldReader(body);
            while (fields.Next())
            {
                switch (fields.Tag)
                {
                    case 1:
                        FieldReader.Once(ref seen, 0, "last_event");
                        message.LastEvent = fields.U64();
                        break;
                }
            }

            FieldReader.Require(seen, 0x1, "EventReceipt", "last_event");
            return message;
        }

        /// <exception cref="WireException">A value that the wire does not allow.</exception>
        public void Encode(WireWriter writer)
        {
            writer.U64(1, LastEvent);
        }
    }

    /// <summary>Asks for a test; the answer is a SelfTestTask.</summary>
    public sealed class SelfTestRequest : IMessage
    {
        public MessageType WireType => MessageType.SelfTestRequest;

        /// <summary>Reads the fields, skipping unknown tags. Blobs are views of the body.</summary>
        /// <exception cref="WireException">A field that is missing, comes twice, or holds what it cannot.</exception>
        public static SelfTestRequest Decode(ReadOnlyMemory<byte> body)
        {
            var message = new SelfTestRequest();
            var fields = new FieldReader(body);
            while (fields.Next())
            {
            }

            return message;
        }

        /// <exception cref="WireException">A value that the wire does not allow.</exception>
        public void Encode(WireWriter writer)
        {
        }
    }

    /// <summary>An object and where to put it, to be decoded and placed by the code that places everything else.</summary>
    public sealed class SelfTestTask : IMessage
    {
        /// <summary>Names this test.</summary>
        public ulong Challenge { get; set; }
        /// <summary>A surface payload; it hangs from the frame that it names.</summary>
        public ReadOnlyMemory<byte> Surface { get; set; }
        /// <summary>Whole messages of type 1, each a pose of the object.</summary>
        public List<ReadOnlyMemory<byte>> Batches { get; } = new List<ReadOnlyMemory<byte>>();
        /// <summary>The frame to put at the world's origin, unturned; all positions are in it.</summary>
        public string Root { get; set; } = "";
        /// <summary>Where are they?.</summary>
        public List<TestPoint> Points { get; } = new List<TestPoint>();
        /// <summary>Indices: which side of them is seen?.</summary>
        public List<uint> Triangles { get; } = new List<uint>();

        public MessageType WireType => MessageType.SelfTestTask;

        /// <summary>Reads the fields, skipping unknown tags. Blobs are views of the body.</summary>
        /// <exception cref="WireException">A field that is missing, comes twice, or holds what it cannot.</exception>
        public static SelfTestTask Decode(ReadOnlyMemory<byte> body)
        {
            var message = new SelfTestTask();
            ulong seen = 0;
            var fields = new FieldReader(body);
            while (fields.Next())
            {
                switch (fields.Tag)
                {
                    case 1:
                        FieldReader.Once(ref seen, 0, "challenge");
                        message.Challenge = fields.U64();
                        break;
                    case 2:
                        FieldReader.Once(ref seen, 1, "surface");
                        message.Surface = fields.Blob();
                        break;
                    case 3:
                        FieldReader.CheckRepeats(message.Batches.Count, "batches");
                        message.Batches.Add(fields.Blob());
                        break;
                    case 4:
                        FieldReader.Once(ref seen, 2, "root");
                        message.Root = fields.Text();
                        break;
                    case 5:
                        FieldReader.CheckRepeats(message.Points.Count, "points");
                        message.Points.Add(TestPoint.Decode(fields.Blob()));
                        break;
                    case 6:
                        FieldReader.CheckRepeats(message.Triangles.Count, "triangles");
                        message.Triangles.Add(fields.U32());
                        break;
                }
            }

            FieldReader.Require(seen, 0x7, "SelfTestTask", "challenge, surface, root");
            return message;
        }

        /// <exception cref="WireException">A value that the wire does not allow.</exception>
        public void Encode(WireWriter writer)
        {
            writer.U64(1, Challenge);
            writer.Blob(2, Surface);
            foreach (var each in Batches)
            {
                writer.Blob(3, each);
            }

            writer.Text(4, Root);
            foreach (var each in Points)
            {
                int start5 = writer.Begin(5);
                each.Encode(writer);
                writer.End(start5);
            }

            foreach (var each in Triangles)
            {
                writer.U32(6, each);
            }

        }
    }

    /// <summary>Where the client has put the object; the answer is a SelfTestVerdict.</summary>
    public sealed class SelfTestReport : IMessage
    {
        public ulong Challenge { get; set; }
        public List<Placement> Placements { get; } = new List<Placement>();

        public MessageType WireType => MessageType.SelfTestReport;

        /// <summary>Reads the fields, skipping unknown tags. Blobs are views of the body.</summary>
        /// <exception cref="WireException">A field that is missing, comes twice, or holds what it cannot.</exception>
        public static SelfTestReport Decode(ReadOnlyMemory<byte> body)
        {
            var message = new SelfTestReport();
            ulong seen = 0;
            var fields = new FieldReader(body);
            while (fields.Next())
            {
                switch (fields.Tag)
                {
                    case 1:
                        FieldReader.Once(ref seen, 0, "challenge");
                        message.Challenge = fields.U64();
                        break;
                    case 2:
                        FieldReader.CheckRepeats(message.Placements.Count, "placements");
                        message.Placements.Add(Placement.Decode(fields.Blob()));
                        break;
                }
            }

            FieldReader.Require(seen, 0x1, "SelfTestReport", "challenge");
            return message;
        }

        /// <exception cref="WireException">A value that the wire does not allow.</exception>
        public void Encode(WireWriter writer)
        {
            writer.U64(1, Challenge);
            foreach (var each in Placements)
            {
                int start2 = writer.Begin(2);
                each.Encode(writer);
                writer.End(start2);
            }

        }
    }

    /// <summary>What the server found; kept in the Welcome.</summary>
    public sealed class SelfTestVerdict : IMessage
    {
        public ulong Challenge { get; set; }
        public SelfTestState State { get; set; }
        /// <summary>What is wrong, such as 'mirrored along x'; empty if passed.</summary>
        public List<string> Reasons { get; } = new List<string>();
        /// <summary>If passed, as in the Welcome.</summary>
        public ReadOnlyMemory<byte>? PoseToken { get; set; }

        public MessageType WireType => MessageType.SelfTestVerdict;

        /// <summary>Reads the fields, skipping unknown tags. Blobs are views of the body.</summary>
        /// <exception cref="WireException">A field that is missing, comes twice, or holds what it cannot.</exception>
        public static SelfTestVerdict Decode(ReadOnlyMemory<byte> body)
        {
            var message = new SelfTestVerdict();
            ulong seen = 0;
            var fields = new FieldReader(body);
            while (fields.Next())
            {
                switch (fields.Tag)
                {
                    case 1:
                        FieldReader.Once(ref seen, 0, "challenge");
                        message.Challenge = fields.U64();
                        break;
                    case 2:
                        FieldReader.Once(ref seen, 1, "state");
                        message.State = SelfTestStateCodes.Decode(fields.Byte());
                        break;
                    case 3:
                        FieldReader.CheckRepeats(message.Reasons.Count, "reasons");
                        message.Reasons.Add(fields.Text());
                        break;
                    case 4:
                        FieldReader.Once(ref seen, 2, "pose_token");
                        message.PoseToken = fields.Blob();
                        break;
                }
            }

            FieldReader.Require(seen, 0x3, "SelfTestVerdict", "challenge, state");
            return message;
        }

        /// <exception cref="WireException">A value that the wire does not allow.</exception>
        public void Encode(WireWriter writer)
        {
            writer.U64(1, Challenge);
            writer.Byte(2, (byte)SelfTestStateCodes.Decode((byte)State));
            foreach (var each in Reasons)
            {
                writer.Text(3, each);
            }

            if (PoseToken is { } value4)
            {
                writer.Blob(4, value4);
            }

        }
    }

    /// <summary>What a headset sees in one image: all of its tools, those that it does not see as lost. Answered by a HeadsetAlignment where another device leads the room.</summary>
    public sealed class ToolObservations : IMessage
    {
        /// <summary>Name of the headset's own world: its anchor's frame.</summary>
        public string Frame { get; set; } = "";
        /// <summary>Names the place of that frame, such as a UUID: another one whenever the world was placed anew, so that poses under two anchors are never combined.</summary>
        public string Anchor { get; set; } = "";
        /// <summary>Counts the images of the Hello's stream from 1; a gap means that some were not sent.</summary>
        public ulong Number { get; set; }
        /// <summary>When the sensor saw them, on the server's clock: send nothing before the clocks are compared.</summary>
        public long SeenNs { get; set; }
        /// <summary>By how much that may be off: the bound of section 6.</summary>
        public long ClockErrorNs { get; set; }
        public List<ObservedTool> Tools { get; } = new List<ObservedTool>();

        public MessageType WireType => MessageType.ToolObservations;

        /// <summary>Reads the fields, skipping unknown tags. Blobs are views of the body.</summary>
        /// <exception cref="WireException">A field that is missing, comes twice, or holds what it cannot.</exception>
        public static ToolObservations Decode(ReadOnlyMemory<byte> body)
        {
            var message = new ToolObservations();
            ulong seen = 0;
            var fields = new FieldReader(body);
            while (fields.Next())
            {
                switch (fields.Tag)
                {
                    case 1:
                        FieldReader.Once(ref seen, 0, "frame");
                        message.Frame = fields.Text();
                        break;
                    case 2:
                        FieldReader.Once(ref seen, 1, "anchor");
                        message.Anchor = fields.Text();
                        break;
                    case 3:
                        FieldReader.Once(ref seen, 2, "number");
                        message.Number = fields.U64();
                        break;
                    case 4:
                        FieldReader.Once(ref seen, 3, "seen_ns");
                        message.SeenNs = fields.I64();
                        break;
                    case 5:
                        FieldReader.Once(ref seen, 4, "clock_error_ns");
                        message.ClockErrorNs = fields.I64();
                        break;
                    case 6:
                        FieldReader.CheckRepeats(message.Tools.Count, "tools");
                        message.Tools.Add(ObservedTool.Decode(fields.Blob()));
                        break;
                }
            }

            FieldReader.Require(seen, 0x1F, "ToolObservations", "frame, anchor, number, seen_ns, clock_error_ns");
            return message;
        }

        /// <exception cref="WireException">A value that the wire does not allow.</exception>
        public void Encode(WireWriter writer)
        {
            writer.Text(1, Frame);
            writer.Text(2, Anchor);
            writer.U64(3, Number);
            writer.I64(4, SeenNs);
            writer.I64(5, ClockErrorNs);
            foreach (var each in Tools)
            {
                int start6 = writer.Begin(6);
                each.Encode(writer);
                writer.End(start6);
            }

        }
    }

    /// <summary>Answers ToolObservations: where the tracker is in this headset's world, as it was calibrated, or why that is not known.</summary>
    public sealed class HeadsetAlignment : IMessage
    {
        /// <summary>`valid` has a pose, any other none: then show nothing of the tracker's world.</summary>
        public Validity Validity { get; set; }
        /// <summary>Why it is not valid, and what to do.</summary>
        public string Reason { get; set; } = "";
        /// <summary>Of a valid one: the place of the headset's world that it holds for; show nothing below another.</summary>
        public string Anchor { get; set; } = "";
        /// <summary>Of the frame `tracker` in that world, in Unity's convention.</summary>
        public double[]? PositionM { get; set; }
        /// <summary>Unit quaternion as Unity's `Quaternion`.</summary>
        public double[]? RotationXyzw { get; set; }
        /// <summary>95 of 100 such calibrations show a point in the middle of what was measured within it.</summary>
        public double? ExpectedP95Mm { get; set; }
        /// <summary>When that was, and how long ago.</summary>
        public string Calibrated { get; set; } = "";

        public MessageType WireType => MessageType.HeadsetAlignment;

        /// <summary>Reads the fields, skipping unknown tags. Blobs are views of the body.</summary>
        /// <exception cref="WireException">A field that is missing, comes twice, or holds what it cannot.</exception>
        public static HeadsetAlignment Decode(ReadOnlyMemory<byte> body)
        {
            var message = new HeadsetAlignment();
            ulong seen = 0;
            var fields = new FieldReader(body);
            while (fields.Next())
            {
                switch (fields.Tag)
                {
                    case 1:
                        FieldReader.Once(ref seen, 0, "validity");
                        message.Validity = ValidityCodes.Decode(fields.Byte());
                        break;
                    case 2:
                        FieldReader.Once(ref seen, 1, "reason");
                        message.Reason = fields.Text();
                        break;
                    case 3:
                        FieldReader.Once(ref seen, 2, "anchor");
                        message.Anchor = fields.Text();
                        break;
                    case 4:
                        FieldReader.Once(ref seen, 3, "position_m");
                        message.PositionM = fields.Position();
                        break;
                    case 5:
                        FieldReader.Once(ref seen, 4, "rotation_xyzw");
                        message.RotationXyzw = fields.F64Array(4);
                        break;
                    case 6:
                        FieldReader.Once(ref seen, 5, "expected_p95_mm");
                        message.ExpectedP95Mm = fields.F64();
                        break;
                    case 7:
                        FieldReader.Once(ref seen, 6, "calibrated");
                        message.Calibrated = fields.Text();
                        break;
                }
            }

            FieldReader.Require(seen, 0x1, "HeadsetAlignment", "validity");
            return message;
        }

        /// <exception cref="WireException">A value that the wire does not allow.</exception>
        public void Encode(WireWriter writer)
        {
            writer.Byte(1, (byte)ValidityCodes.Decode((byte)Validity));
            writer.Text(2, Reason);
            writer.Text(3, Anchor);
            if (PositionM is { } value4)
            {
                writer.Position(4, value4);
            }

            if (RotationXyzw is { } value5)
            {
                writer.F64Array(5, value5, 4);
            }

            if (ExpectedP95Mm is { } value6)
            {
                writer.F64(6, value6);
            }

            writer.Text(7, Calibrated);
        }
    }
}
