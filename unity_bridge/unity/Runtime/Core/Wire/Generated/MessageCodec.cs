// Generated from unity_bridge/wire/wire_schema.toml by `make wire`: edit that, not this.
#nullable enable
using System;
using System.Collections.Generic;

namespace SurgNav.Core.Wire
{
    /// <summary>A message with a type of its own.</summary>
    public interface IMessage
    {
        MessageType WireType { get; }

        void Encode(WireWriter writer);
    }

    /// <summary>From bytes to messages and back, for every type but PoseBatch, for which see PoseBatchDecoder.</summary>
    public static class MessageCodec
    {
        /// <exception cref="WireException">Malformed, of another major version, or of a type without a class.</exception>
        public static IMessage Decode(ReadOnlyMemory<byte> message, out MessageHeader header)
        {
            header = Envelope.Read(message, out var body);
            switch ((MessageType)header.MessageType)
            {
                case MessageType.Guidance:
                    return Guidance.Decode(body);
                case MessageType.GuidancePlan:
                    return GuidancePlan.Decode(body);
                case MessageType.SurfaceListRequest:
                    return SurfaceListRequest.Decode(body);
                case MessageType.SurfaceManifest:
                    return SurfaceManifest.Decode(body);
                case MessageType.SurfaceChunkRequest:
                    return SurfaceChunkRequest.Decode(body);
                case MessageType.SurfaceChunk:
                    return SurfaceChunk.Decode(body);
                case MessageType.Hello:
                    return Hello.Decode(body);
                case MessageType.Welcome:
                    return Welcome.Decode(body);
                case MessageType.ClockRequest:
                    return ClockRequest.Decode(body);
                case MessageType.ClockReply:
                    return ClockReply.Decode(body);
                case MessageType.ClientReport:
                    return ClientReport.Decode(body);
                case MessageType.Acknowledge:
                    return Acknowledge.Decode(body);
                case MessageType.Goodbye:
                    return Goodbye.Decode(body);
                case MessageType.Error:
                    return Error.Decode(body);
                case MessageType.ClientEvent:
                    return ClientEvent.Decode(body);
                case MessageType.EventAnswer:
                    return EventAnswer.Decode(body);
                case MessageType.ServerEvent:
                    return ServerEvent.Decode(body);
                case MessageType.EventReceipt:
                    return EventReceipt.Decode(body);
                case MessageType.SelfTestRequest:
                    return SelfTestRequest.Decode(body);
                case MessageType.SelfTestTask:
                    return SelfTestTask.Decode(body);
                case MessageType.SelfTestReport:
                    return SelfTestReport.Decode(body);
                case MessageType.SelfTestVerdict:
                    return SelfTestVerdict.Decode(body);
                case MessageType.ToolObservations:
                    return ToolObservations.Decode(body);
                case MessageType.HeadsetAlignment:
                    return HeadsetAlignment.Decode(body);
                case MessageType.UltrasoundRequest:
                    return UltrasoundRequest.Decode(body);
                case MessageType.UltrasoundFrame:
                    return UltrasoundFrame.Decode(body);
                default:
                    throw new MalformedMessageException(
                        $"message type {header.MessageType} on this socket", "a type that MessageCodec knows");
            }
        }

        /// <summary>Replaces what <paramref name="writer"/> holds with the message under this header.</summary>
        public static void Encode(IMessage message, MessageHeader header, WireWriter writer)
        {
            header.MessageType = (ushort)message.WireType;
            Envelope.Begin(writer);
            message.Encode(writer);
            Envelope.End(writer, header);
        }
    }
}
