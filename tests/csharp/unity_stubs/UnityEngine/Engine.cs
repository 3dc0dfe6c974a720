using System;
using System.Collections.Generic;
using System.Linq;
using System.Reflection;
using System.Threading;
using UnityEngine;
using Object = UnityEngine.Object;

namespace UnityStubs
{
    /// <summary>
    /// As much of Unity's player loop as the tests need: Awake, OnEnable, Start, Update, LateUpdate, OnDisable,
    /// OnDestroy and OnApplicationPause in Unity's order, on one main thread, which alone may touch objects.
    /// </summary>
    public static class Engine
    {
        private static readonly List<GameObject> Objects = new List<GameObject>();
        private static readonly List<Object> Doomed = new List<Object>();
        private static readonly List<MonoBehaviour> Living = new List<MonoBehaviour>();
        private static int mainThread;

        /// <summary>What Debug wrote: level and words.</summary>
        public static List<string> Log { get; } = new List<string>();

        /// <summary>An empty scene; the calling thread becomes the main thread.</summary>
        public static void Reset()
        {
            mainThread = Thread.CurrentThread.ManagedThreadId;
            foreach (var each in Objects.ToArray())
            {
                if (each)
                {
                    Destroy(each);
                }
            }

            Objects.Clear();
            Doomed.Clear();
            Living.Clear();
            Log.Clear();
            Time.unscaledTime = 0;
            Time.frameCount = 0;
            SystemInfo.UnsupportedFormat = null;
        }

        /// <summary>One frame.</summary>
        public static void Step(float seconds = 1f / 60)
        {
            CheckMainThread();
            Time.unscaledTime += seconds;
            Time.frameCount++;
            for (int at = 0; at < Living.Count; at++)
            {
                Living[at].Messages.Start();
            }

            for (int at = 0; at < Living.Count; at++)
            {
                Living[at].Messages.Update();
            }

            for (int at = 0; at < Living.Count; at++)
            {
                Living[at].Messages.LateUpdate();
            }

            for (int at = 0; at < Doomed.Count; at++)
            {
                Destroy(Doomed[at]);
            }

            Doomed.Clear();
        }

        /// <summary>The headset is taken off, or put on again.</summary>
        public static void Pause(bool paused)
        {
            foreach (var each in Living.ToArray())
            {
                each.Messages.Pause(paused);
            }
        }

        /// <summary>A field of a component or of a serialised class, if Unity serialises it; refused otherwise.</summary>
        public static FieldInfo SerializedField(Type owner, string field)
        {
            const BindingFlags Any = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;
            for (var type = owner; type != null; type = type.BaseType)
            {
                var info = type.GetField(field, Any | BindingFlags.DeclaredOnly);
                if (info != null)
                {
                    bool isSerialized = info.IsPublic || info.IsDefined(typeof(SerializeField), false);
                    return isSerialized && !info.IsInitOnly
                        ? info
                        : throw new InvalidOperationException($"Unity does not serialise {owner.Name}.{field}");
                }
            }

            throw new MissingFieldException(owner.Name, field);
        }

        /// <summary>From now on the graphics card does not take this format.</summary>
        public static void RefuseFormat(UnityEngine.Rendering.VertexAttributeFormat format)
        {
            SystemInfo.UnsupportedFormat = format;
        }

        internal static void CheckMainThread()
        {
            if (Thread.CurrentThread.ManagedThreadId != mainThread)
            {
                throw new InvalidOperationException("Unity's objects can be used on the main thread only");
            }
        }

        /// <summary>The object of this name, active or not.</summary>
        public static GameObject Find(string name) => Objects.Find(each => each && each.name == name);

        internal static T FindObjectOfType<T>()
            where T : Object
        {
            return (T)(Object)Living.FirstOrDefault(each => each is T && each.isActiveAndEnabled);
        }

        internal static void Register(GameObject added) => Objects.Add(added);

        internal static void DestroyLater(Object doomed)
        {
            CheckMainThread();
            Doomed.Add(doomed);
        }

        internal static void Destroy(Object doomed)
        {
            CheckMainThread();
            if (!doomed)
            {
                return;
            }

            doomed.OnDestroyed();
            if (doomed is Component component)
            {
                Leave(component);
                component.Owner.Components.Remove(component);
            }
        }

        internal static void Leave(Component component)
        {
            if (component is MonoBehaviour behaviour)
            {
                behaviour.Messages.SetEnabled(false);
                behaviour.Messages.Destroyed();
                Living.Remove(behaviour);
            }
        }

        /// <summary>Sends Awake, OnEnable and OnDisable where the state of an object has changed.</summary>
        internal static void Refresh(GameObject changed)
        {
            if (changed is null)
            {
                return;
            }

            foreach (var component in changed.Components.ToArray())
            {
                if (component is MonoBehaviour behaviour && behaviour)
                {
                    Refresh(behaviour);
                }
            }

            foreach (var child in changed.transform.Children.ToArray())
            {
                Refresh(child.Owner);
            }
        }

        private static void Refresh(MonoBehaviour behaviour)
        {
            if (behaviour.Owner.activeInHierarchy && behaviour.Messages.Awake())
            {
                Living.Add(behaviour);
                Living.Sort((one, other) => one.Messages.Order.CompareTo(other.Messages.Order));
            }

            behaviour.Messages.SetEnabled(behaviour.isActiveAndEnabled);
        }
    }

    /// <summary>The messages of one MonoBehaviour, and which of them it has had.</summary>
    internal sealed class Messages
    {
        private readonly MonoBehaviour target;
        private readonly Action awake;
        private readonly Action start;
        private readonly Action update;
        private readonly Action lateUpdate;
        private readonly Action enable;
        private readonly Action disable;
        private readonly Action destroy;
        private readonly Action<bool> pause;
        private bool awoken;
        private bool started;
        private bool isEnabled;

        internal Messages(MonoBehaviour target)
        {
            this.target = target;
            awake = Find<Action>("Awake");
            start = Find<Action>("Start");
            update = Find<Action>("Update");
            lateUpdate = Find<Action>("LateUpdate");
            enable = Find<Action>("OnEnable");
            disable = Find<Action>("OnDisable");
            destroy = Find<Action>("OnDestroy");
            pause = Find<Action<bool>>("OnApplicationPause");
            var order = target.GetType().GetCustomAttributes(typeof(DefaultExecutionOrder), true);
            Order = order.Length == 0 ? 0 : ((DefaultExecutionOrder)order[0]).order;
        }

        internal int Order { get; }

        internal bool Awake()
        {
            if (awoken)
            {
                return false;
            }

            awoken = true;
            awake?.Invoke();
            return true;
        }

        internal void SetEnabled(bool value)
        {
            if (isEnabled == value || !awoken)
            {
                return;
            }

            isEnabled = value;
            (value ? enable : disable)?.Invoke();
        }

        internal void Start()
        {
            if (isEnabled && !started)
            {
                started = true;
                start?.Invoke();
            }
        }

        internal void Update()
        {
            if (isEnabled && started)
            {
                update?.Invoke();
            }
        }

        internal void LateUpdate()
        {
            if (isEnabled && started)
            {
                lateUpdate?.Invoke();
            }
        }

        internal void Pause(bool paused) => pause?.Invoke(paused);

        internal void Destroyed()
        {
            if (awoken)
            {
                destroy?.Invoke();
            }
        }

        private T Find<T>(string name)
            where T : Delegate
        {
            const BindingFlags Any = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;
            for (var type = target.GetType(); type != typeof(MonoBehaviour) && type != null; type = type.BaseType)
            {
                var method = type.GetMethods(Any | BindingFlags.DeclaredOnly).FirstOrDefault(each => each.Name == name);
                if (method != null)
                {
                    return (T)Delegate.CreateDelegate(typeof(T), target, method);
                }
            }

            return null;
        }
    }
}
