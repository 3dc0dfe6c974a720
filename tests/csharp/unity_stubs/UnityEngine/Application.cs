using System;
using System.Collections.Generic;
using System.Text;
using UnityStubs;

namespace UnityEngine
{
    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/Debug.html
    public class Debug
    {
        public static void Log(object message, Object context) => Engine.Log.Add($"log: {message}");

        public static void LogWarning(object message, Object context) => Engine.Log.Add($"warning: {message}");

        public static void LogError(object message, Object context) => Engine.Log.Add($"error: {message}");
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/Time.html
    public class Time
    {
        public static float unscaledTime { get; internal set; }

        public static int frameCount { get; internal set; }
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/Application.html
    public class Application
    {
        public static string persistentDataPath { get; } = Environment.GetEnvironmentVariable("STUB_DATA_PATH");

        public static string productName { get; internal set; } = "stub";

        public static bool isPlaying { get; internal set; } = true;
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/TextAsset.html
    public class TextAsset : Object
    {
        public TextAsset(string text)
        {
            this.text = text;
        }

        public string text { get; }
    }
}

namespace UnityEngine.Events
{
    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/Events.UnityEventBase.html
    [Serializable]
    public abstract class UnityEventBase
    {
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/Events.UnityAction.html
    public delegate void UnityAction();

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/Events.UnityAction_1.html
    public delegate void UnityAction<T0>(T0 arg0);

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/Events.UnityEvent.html
    [Serializable]
    public class UnityEvent : UnityEventBase
    {
        private UnityAction calls;

        public void AddListener(UnityAction call) => calls += call;

        public void RemoveListener(UnityAction call) => calls -= call;

        public void Invoke() => calls?.Invoke();
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/Events.UnityEvent_1.html
    [Serializable]
    public class UnityEvent<T0> : UnityEventBase
    {
        private UnityAction<T0> calls;

        public void AddListener(UnityAction<T0> call) => calls += call;

        public void RemoveListener(UnityAction<T0> call) => calls -= call;

        public void Invoke(T0 arg0) => calls?.Invoke(arg0);
    }
}
