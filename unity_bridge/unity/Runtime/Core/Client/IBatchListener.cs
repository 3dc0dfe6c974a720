#nullable enable
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>Hears every pose batch that was taken in, for recorders and measurements.</summary>
    public interface IBatchListener
    {
        /// <summary>
        /// Called by the pose thread: be quick, and copy what is to be kept, since the batch is used again.
        /// </summary>
        /// <param name="batch">Decoded and checked.</param>
        /// <param name="receivedNs">When it was in the client's hands, on the client's clock.</param>
        /// <param name="decodedNs">When it was decoded.</param>
        void Received(PoseBatch batch, long receivedNs, long decodedNs);
    }
}
