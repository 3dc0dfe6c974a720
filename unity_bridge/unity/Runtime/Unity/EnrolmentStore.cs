#nullable enable
using System;
using System.IO;
using UnityEngine;

namespace SurgNav.Unity
{
    /// <summary>
    /// The enrolment text (surgnav:1?...) of this headset, with its secret key, in a folder that other apps cannot read:
    /// LocalState on HoloLens, the internal files folder on Android (persistentDataPath may lie on shared storage there).
    /// </summary>
    public static class EnrolmentStore
    {
        public const string FileName = "surgnav-enrolment.txt";

        public static string Folder
        {
            get
            {
#if UNITY_ANDROID && !UNITY_EDITOR
                using var player = new AndroidJavaClass("com.unity3d.player.UnityPlayer");
                using var activity = player.GetStatic<AndroidJavaObject>("currentActivity");
                using var files = activity.Call<AndroidJavaObject>("getFilesDir");
                return files.Call<string>("getAbsolutePath");
#else
                return Application.persistentDataPath;
#endif
            }
        }

        /// <summary>Null if this headset was not enrolled.</summary>
        /// <exception cref="IOException">It cannot be read.</exception>
        public static string? Load()
        {
            string path = Path.Combine(Folder, FileName);
            return File.Exists(path) ? File.ReadAllText(path) : null;
        }

        /// <exception cref="IOException">It cannot be written.</exception>
        public static void Save(string text)
        {
            // Whole or not at all: half a key would lock this headset out until somebody looks.
            string path = Path.Combine(Folder, FileName);
            string temporary = path + ".new";
            File.WriteAllText(temporary, text);
            if (File.Exists(path))
            {
                File.Delete(path);
            }

            File.Move(temporary, path);
        }

        public static void Forget() => File.Delete(Path.Combine(Folder, FileName));
    }
}
