#nullable enable
using System;
using SurgNav.Core.Client;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Tests
{
    /// <summary>Encodes what a server would send.</summary>
    internal sealed class Server
    {
        internal static readonly ulong ClockKey = ClockName.Key("server");
        private readonly WireWriter writer = new WireWriter();
        private ulong sequence;

        internal Server(ulong session = 1)
        {
            Session = new SessionId(session, session + 1);
        }

        internal SessionId Session { get; }

        internal byte[] Message(IMessage message, ulong clock = 0)
        {
            MessageCodec.Encode(message, Header(++sequence, 0, clock), writer);
            return writer.Written.ToArray();
        }

        internal static Welcome Welcome(SelfTestState? selfTest = null)
        {
            return new Welcome
            {
                ServerName = "test",
                Program = "test 1",
                ClockId = "server",
                RateHz = 100.0,
                RegistrationId = "registration-1",
                RegistrationValidity = Validity.Valid,
                SelfTest = selfTest,
            };
        }

        /// <summary>What a client knows of it.</summary>
        internal ServerFacts Facts(
            ClockOffset offset, long comparedNs, Welcome welcome, string obstacle = "", ClientSettings? settings = null)
        {
            var ages = PoseAges.Of(settings ?? new ClientSettings(), welcome);
            return new ServerFacts(Session, ClockKey, offset, comparedNs, ages, obstacle);
        }

        /// <summary>A batch of tools, all relative to 'reference'.</summary>
        internal byte[] Batch(ulong number, long captureNs, params TestTool[] tools)
        {
            return Batch(number, captureNs, Validity.Valid, "", 0, tools);
        }

        internal byte[] Batch(
            ulong number, long captureNs, Validity validity, string reason, ulong clock, params TestTool[] tools)
        {
            Envelope.Begin(writer);
            var strings = new System.Collections.Generic.List<string> { "" };
            int table = writer.Begin(PoseBatchTags.Tools);
            int head = writer.Reserve(ToolTableHead.Size);
            new ToolTableHead { RecordBytes = ToolRecord.Size, RecordCount = (ushort)tools.Length }
                .Write(writer.At(head, ToolTableHead.Size));
            foreach (var tool in tools)
            {
                int at = writer.Reserve(ToolRecord.Size);
                tool.Record(captureNs, text => Index(strings, text)).Write(writer.At(at, ToolRecord.Size));
            }

            writer.End(table);
            Covariances(tools);
            Filtered(tools);
            int names = writer.Begin(PoseBatchTags.Strings);
            foreach (string text in strings)
            {
                var bytes = WireBytes.Utf8.GetBytes(text);
                int at = writer.Reserve(2 + bytes.Length);
                WireBytes.WriteU16(writer.At(at, 2), 0, (ushort)bytes.Length);
                bytes.CopyTo(writer.At(at + 2, bytes.Length));
            }

            writer.End(names);
            if (reason.Length > 0)
            {
                writer.Text(PoseBatchTags.Reason, reason);
            }

            var header = Header(number, captureNs, clock);
            header.MessageType = (ushort)MessageType.PoseBatch;
            header.Validity = validity;
            Envelope.End(writer, header);
            return writer.Written.ToArray();
        }

        /// <summary>No table where no tool has one.</summary>
        private void Covariances(TestTool[] tools)
        {
            if (!Array.Exists(tools, tool => tool.Covariance.HasValue))
            {
                return;
            }

            int table = writer.Begin(PoseBatchTags.Covariances);
            int head = writer.Reserve(ToolTableHead.Size);
            new ToolTableHead { RecordBytes = CovarianceRecord.Size, RecordCount = (ushort)tools.Length }
                .Write(writer.At(head, ToolTableHead.Size));
            foreach (var tool in tools)
            {
                int at = writer.Reserve(CovarianceRecord.Size);
                tool.Covariance.GetValueOrDefault().Write(writer.At(at, CovarianceRecord.Size));
            }

            writer.End(table);
        }

        /// <summary>No table where no tool has one; what was measured is at the origin.</summary>
        private void Filtered(TestTool[] tools)
        {
            int count = Array.FindAll(tools, tool => tool.IsFiltered).Length;
            if (count == 0)
            {
                return;
            }

            int table = writer.Begin(PoseBatchTags.Filtered);
            int head = writer.Reserve(ToolTableHead.Size);
            new ToolTableHead { RecordBytes = FilteredRecord.Size, RecordCount = (ushort)count }
                .Write(writer.At(head, ToolTableHead.Size));
            for (int index = 0; index < tools.Length; index++)
            {
                if (tools[index].IsFiltered)
                {
                    int at = writer.Reserve(FilteredRecord.Size);
                    new FilteredRecord
                    {
                        Index = (ushort)index,
                        DelayMs = tools[index].DelayMs,
                        AheadMs = tools[index].AheadMs,
                        RawRotationXyzw = new Float4 { W = 1.0f },
                    }.Write(writer.At(at, FilteredRecord.Size));
                }
            }

            writer.End(table);
        }

        private static ushort Index(System.Collections.Generic.List<string> strings, string text)
        {
            int index = strings.IndexOf(text);
            if (index < 0)
            {
                index = strings.Count;
                strings.Add(text);
            }

            return (ushort)index;
        }

        private MessageHeader Header(ulong number, long captureNs, ulong clock)
        {
            return new MessageHeader
            {
                Sequence = number, CaptureNs = captureNs, Clock = clock == 0 ? ClockKey : clock, SessionId = Session,
            };
        }
    }

    /// <summary>A tool of a test's batch.</summary>
    internal sealed class TestTool
    {
        internal string Name { get; set; } = "stylus";

        internal string FromFrame { get; set; } = "stylus_tip";

        internal string Registration { get; set; } = "";

        internal Validity Validity { get; set; } = Validity.Valid;

        internal string Reason { get; set; } = "";

        internal float? X { get; set; } = 0.0f;

        /// <summary>About the z axis.</summary>
        internal double AngleRad { get; set; }

        internal long? CaptureNs { get; set; }

        internal float? ErrorMm { get; set; }

        internal CovarianceRecord? Covariance { get; set; }

        internal float DelayMs { get; set; }

        internal float AheadMs { get; set; }

        internal bool IsFiltered => DelayMs > 0.0f || AheadMs > 0.0f;

        internal static TestTool At(float x, double angleRad = 0.0) => new TestTool { X = x, AngleRad = angleRad };

        internal static TestTool Lost(string reason)
        {
            return new TestTool { X = null, Validity = Validity.Lost, Reason = reason };
        }

        internal ToolRecord Record(long batchNs, Func<string, ushort> index)
        {
            var record = new ToolRecord
            {
                Tool = index(Name),
                ToFrame = index("reference"),
                FromFrame = index(FromFrame),
                Reason = index(Reason),
                Registration = index(Registration),
                Validity = Validity,
            };
            if (ErrorMm.HasValue)
            {
                record.Flags |= Constants.HasError;
                record.ExpectedErrorMm = ErrorMm.Value;
            }

            if (X.HasValue)
            {
                record.Flags |= Constants.HasPose;
                record.CaptureNs = CaptureNs ?? batchNs;
                record.PositionM = new Float3 { X = X.Value };
                record.RotationXyzw = new Float4
                {
                    Z = (float)Math.Sin(AngleRad / 2.0), W = (float)Math.Cos(AngleRad / 2.0),
                };
            }

            return record;
        }
    }
}
