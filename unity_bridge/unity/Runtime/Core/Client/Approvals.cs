#nullable enable
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>Whether a surface may be shown.</summary>
    internal static class Approvals
    {
        internal const string Suggested = "suggested";

        /// <exception cref="MalformedMessageException">
        /// No named person approved it, and it is not a suggestion where suggestions may be shown.
        /// </exception>
        internal static void Check(SurfaceEntry entry, bool suggestionsAllowed)
        {
            bool isApproved = (entry.Approval == "approved" || entry.Approval == "edited")
                && !string.IsNullOrWhiteSpace(entry.ApprovedBy);
            if (!isApproved && !(entry.Approval == Suggested && suggestionsAllowed))
            {
                throw new MalformedMessageException(
                    $"surface '{entry.Name}' with approval '{entry.Approval}' by '{entry.ApprovedBy}'",
                    "'approved' or 'edited' by a named person; 'suggested' in a research session that says so on screen");
            }
        }
    }
}
