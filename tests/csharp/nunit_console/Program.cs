#nullable enable
using System;
using System.Collections.Generic;
using System.Reflection;
using NUnit.Framework.Api;
using NUnit.Framework.Interfaces;
using NUnit.Framework.Internal;

namespace SurgNav.Tests.NUnitConsole
{
    /// <summary>Runs the tests of an assembly by NUnit's own engine, and tells the count and what failed.</summary>
    public static class Program
    {
        public static int Main(string[] arguments)
        {
            var runner = new NUnitTestAssemblyRunner(new DefaultTestAssemblyBuilder());
            runner.Load(Assembly.LoadFrom(arguments[0]), new Dictionary<string, object>());
            var result = runner.Run(TestListener.NULL, TestFilter.Empty);
            Tell(result);
            int failed = result.FailCount + result.InconclusiveCount + result.SkipCount;
            Console.WriteLine($"{result.PassCount} passed, {failed} failed");
            return result.PassCount > 0 && failed == 0 && result.ResultState == ResultState.Success ? 0 : 1;
        }

        private static void Tell(ITestResult result)
        {
            foreach (var child in result.Children)
            {
                Tell(child);
            }

            if (result.ResultState.Status != TestStatus.Passed && !result.HasChildren)
            {
                Console.WriteLine($"{result.ResultState} {result.FullName}\n{result.Message}\n{result.StackTrace}");
            }
        }
    }
}
