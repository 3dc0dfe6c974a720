#nullable enable
using System;
using System.Net;
using System.Net.Sockets;

namespace SurgNav.Core.Transport
{
    /// <summary>One TCP connection that never blocks: everything is asked for, nothing waited for, but in Wait.</summary>
    internal sealed class TcpLink : IDisposable
    {
        private readonly Socket socket;
        private readonly ArraySegment<byte>[] sending = new ArraySegment<byte>[1];

        /// <summary>Begins to connect.</summary>
        /// <exception cref="ZmtpFailure">There is no way to that address, or no memory for a socket.</exception>
        internal TcpLink(IPAddress address, int port, int receiveBufferBytes)
        {
            try
            {
                socket = new Socket(address.AddressFamily, System.Net.Sockets.SocketType.Stream, ProtocolType.Tcp);
            }
            catch (SocketException error)
            {
                throw Failure("no socket", error.SocketErrorCode);
            }

            try
            {
                // Blocking connects of Mono take a second or more to notice that they should stop.
                socket.Blocking = false;
                socket.NoDelay = true;
                socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
                if (receiveBufferBytes > 0)
                {
                    socket.ReceiveBufferSize = receiveBufferBytes;
                }

                socket.Connect(new IPEndPoint(address, port));
            }
            catch (SocketException error) when (IsUnderWay(error.SocketErrorCode))
            {
            }
            catch (SocketException error)
            {
                socket.Close();
                throw Failure("no connection", error.SocketErrorCode);
            }
        }

        /// <summary>True once the connection stands; false while it is under way.</summary>
        /// <exception cref="ZmtpFailure">It was turned down.</exception>
        internal bool IsConnected()
        {
            try
            {
                bool failed = socket.Poll(0, SelectMode.SelectError);
                if (!failed && !socket.Poll(0, SelectMode.SelectWrite))
                {
                    return false;
                }

                int error = (int)socket.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.Error)!;
                if (error != 0 || failed)
                {
                    throw Failure("no connection", error == 0 ? SocketError.ConnectionRefused : (SocketError)error);
                }

                return true;
            }
            catch (SocketException error)
            {
                throw Failure("no connection", error.SocketErrorCode);
            }
        }

        /// <summary>Waits for bytes, or, while it connects, for the connection.</summary>
        internal void Wait(int milliseconds, bool connecting)
        {
            try
            {
                socket.Poll(milliseconds * 1000, connecting ? SelectMode.SelectWrite : SelectMode.SelectRead);
            }
            catch (SocketException)
            {
                // The next call that reads or writes finds out, and says more.
            }
        }

        /// <summary>Takes what is there, at most what there is room for; 0 if nothing is.</summary>
        /// <exception cref="ZmtpFailure">The connection has ended.</exception>
        internal int Receive(ArraySegment<byte> room)
        {
            int count = socket.Receive(room.Array!, room.Offset, room.Count, SocketFlags.None, out var error);
            if (error == SocketError.WouldBlock)
            {
                return 0;
            }

            if (error != SocketError.Success)
            {
                throw ZmtpFailure.HangUp($"the connection broke ({error})");
            }

            return count > 0 ? count : throw ZmtpFailure.HangUp("the server closed the connection");
        }

        /// <summary>Hands over what the system takes; how much that was.</summary>
        /// <exception cref="ZmtpFailure">The connection has ended.</exception>
        internal int Send(ArraySegment<byte> bytes)
        {
            // As a list of one: given a plain array, Mono asks again and again until the system has taken all of it.
            sending[0] = bytes;
            int count = socket.Send(sending, SocketFlags.None, out var error);
            if (error == SocketError.WouldBlock)
            {
                return 0;
            }

            return error == SocketError.Success ? count : throw ZmtpFailure.HangUp($"the connection broke ({error})");
        }

        public void Dispose()
        {
            try
            {
                // What was handed over still goes out; Close alone, with something unread, may drop it.
                socket.Shutdown(SocketShutdown.Send);
            }
            catch (Exception error) when (error is SocketException || error is ObjectDisposedException)
            {
                // It does not stand any more, or not yet; Mono takes one that broke for closed.
            }

            socket.Close();
        }

        private static bool IsUnderWay(SocketError error)
        {
            return error is SocketError.WouldBlock or SocketError.InProgress or SocketError.AlreadyInProgress;
        }

        private static ZmtpFailure Failure(string what, SocketError error) => ZmtpFailure.Link($"{what} ({error})");
    }
}
