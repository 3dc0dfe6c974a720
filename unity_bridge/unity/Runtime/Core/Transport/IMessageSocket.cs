#nullable enable
using System;

namespace SurgNav.Core.Transport
{
    /// <summary>Where a socket stands; <see cref="IMessageSocket.Reason"/> says why.</summary>
    public enum SocketState : byte
    {
        /// <summary>Looking for the host, or waiting for TCP.</summary>
        Connecting = 0,

        /// <summary>TCP stands; greeting, keys and READY are being exchanged.</summary>
        Handshaking = 1,

        /// <summary>Messages come and go.</summary>
        Connected = 2,

        /// <summary>No connection; another attempt follows after the back-off.</summary>
        WaitingToRetry = 3,

        /// <summary>
        /// The server turned this client away, or is not the one whose key is pinned. Tried again at the longest back-off,
        /// and stays Refused until one attempt succeeds or fails for another reason.
        /// </summary>
        Refused = 4,

        /// <summary>Disposed: nothing more comes.</summary>
        Closed = 5,
    }

    /// <summary>
    /// One ZeroMQ-like socket to one endpoint, for messages of a single frame. It starts no thread: all its work is done in
    /// the calls, each of which returns at once or within the stated time and never throws for anything the network does.
    /// It connects by itself, and again whenever the connection breaks. Used by one thread at a time; only State, Reason,
    /// Reconnections, Wake and Dispose may be called from any thread.
    /// </summary>
    public interface IMessageSocket : IDisposable
    {
        SocketState State { get; }

        /// <summary>Why it is not connected, for people; empty when it is.</summary>
        string Reason { get; }

        /// <summary>How often the connection stood, less one: 0 until the second time.</summary>
        int Reconnections { get; }

        /// <summary>
        /// Does what is to be done (connect, handshake, heartbeats, sending what is queued) and waits at most so long for a
        /// message, or for a change of State. True if a message can be received. What TryReceive gave before is no longer
        /// valid.
        /// </summary>
        /// <param name="timeoutMilliseconds">0 only looks.</param>
        bool Poll(int timeoutMilliseconds);

        /// <summary>
        /// Copies a message into the bounded queue, and hands on to the network what it takes. False if there is no
        /// connection or no room: the message was not taken, try again or do without.
        /// </summary>
        /// <exception cref="ArgumentException">The message alone is larger than the queue.</exception>
        bool TrySend(ReadOnlySpan<byte> message);

        /// <summary>
        /// Takes the next message, oldest first. Call until false to have all that arrived. The memory is the socket's own
        /// and valid until the next TryReceive, Poll or Dispose: decode or copy it before. Makes no garbage.
        /// </summary>
        bool TryReceive(out ReadOnlyMemory<byte> message);

        /// <summary>
        /// Of a SUB socket: subscribes to what begins so, over this connection too, and over each later one to this alone.
        /// </summary>
        void Subscribe(byte[] topic);

        /// <summary>
        /// Gives up a connection that stands but over which nothing comes any more, and makes another; does nothing while there
        /// is none.
        /// </summary>
        /// <param name="why">For people, until the next one stands.</param>
        void Reconnect(string why);

        /// <summary>Makes a Poll that waits in another thread, or else the next one, return soon (20 ms).</summary>
        void Wake();
    }

    /// <summary>Makes sockets. They connect in their first Poll.</summary>
    public interface ITransport
    {
        /// <summary>
        /// A SUB socket, subscribed to everything until it is told to what; it cannot send. The endpoint is such as tcp://192.168.1.20:5570; a name or
        /// [IPv6] will do as well.
        /// </summary>
        /// <exception cref="TransportException">Not such an endpoint, or settings that cannot be.</exception>
        IMessageSocket Subscribe(string endpoint, SocketSettings settings);

        /// <summary>A DEALER socket: requests out, answers in, no empty delimiter. Endpoints as for Subscribe.</summary>
        /// <exception cref="TransportException">Not such an endpoint, or settings that cannot be.</exception>
        IMessageSocket Deal(string endpoint, SocketSettings settings);
    }
}
