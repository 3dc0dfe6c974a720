using System;

namespace UnityEngine
{
    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/AndroidJavaObject.html
    public class AndroidJavaObject : IDisposable
    {
        public AndroidJavaObject(string className, params object[] args)
        {
        }

        public ReturnType Call<ReturnType>(string methodName, params object[] args) => throw NoAndroid();

        public FieldType GetStatic<FieldType>(string fieldName) => throw NoAndroid();

        public void Dispose()
        {
        }

        private static NotSupportedException NoAndroid() => new NotSupportedException("the stub has no Java");
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/AndroidJavaClass.html
    public class AndroidJavaClass : AndroidJavaObject
    {
        public AndroidJavaClass(string className)
            : base(className)
        {
        }
    }
}
