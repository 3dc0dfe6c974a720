#nullable enable
namespace SurgNav.Core.Wire
{
    /// <summary>What a frame may be called.</summary>
    internal static class FrameName
    {
        private const int MaxLength = 63;

        /// <summary>The frame that only Unity has: nothing on the wire hangs from it.</summary>
        private const string Unity = "unity";

        /// <exception cref="MalformedMessageException">Not a lower-case identifier, or Unity's own frame.</exception>
        internal static string Check(string name)
        {
            bool fits = name.Length > 0 && name.Length <= MaxLength && IsLetter(name[0]) && name != Unity;
            for (int index = 0; fits && index < name.Length; index++)
            {
                char letter = name[index];
                fits = IsLetter(letter) || letter == '_' || (letter >= '0' && letter <= '9');
            }

            return fits ? name : throw new MalformedMessageException(
                $"frame name '{name}'", $"a lower-case identifier of up to {MaxLength} characters, such as 'ct'");
        }

        private static bool IsLetter(char letter) => letter >= 'a' && letter <= 'z';
    }
}
